"""Let the tests of this folder import `drawn_graphs`, which stands beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
