// Moving about: what the state may become, keys, the address hash, and print.

function render() {
  for (const [name, isOn] of [["passes", !state.steps], ["steps", state.steps]]) {
    $(`mode-${name}`).setAttribute("aria-pressed", String(isOn));
  }
  document.body.classList.toggle("evaluating", state.steps);
  renderPasses();
  renderStage();
  renderCode();
  renderPanel();
  renderPicture();
  renderFound();
  light();
  if (state.steps) showCurrentRow();
  writeHash();
}

function goToPass(pass) {
  if (pass < 0 || pass > LAST) return;
  const moved = chapterOf(pass)[1] !== chapterOf(state.pass)[1] || state.steps;
  Object.assign(state, { pass, firing: -1, steps: false });
  if (moved) scale = 0;
  render();
  document.querySelector(`[data-pass="${pass}"]`)?.scrollIntoView({ block: "nearest" });
}

// The next pass that is listed, in one direction.
function movePass(by) {
  if (state.steps) return goToPass(state.pass);
  let pass = state.pass + by;
  while (pass > 0 && pass < LAST && DATA.stages[pass].idle && !state.idle) pass += by;
  const isIdle = pass >= 0 && pass <= LAST && DATA.stages[pass].idle && !state.idle;
  return isIdle ? undefined : goToPass(pass);
}

function stepFiring(by) {
  const count = DATA.stages[state.pass].firings.length;
  state.firing = Math.max(-1, Math.min(count - 1, state.firing + by));
  const firing = DATA.stages[state.pass].firings[state.firing];
  const ids = firing ? [firing.made, ...firing.matched].filter(Boolean) : [];
  if (ids.length && !ids.some((id) => itemIn(state.group, hostOf(id, state.pass) || id))) {
    state.group = above(hostOf(ids[0], state.pass) || ids[0]);
    scale = 0;
  }
  render();
}

function moveStep(by) {
  lastVerdict = "";
  state.step = Math.max(-1, Math.min(ROWS.length - 1, state.step + by));
  state.node = "";
  render();
  $("answer")?.focus({ preventScroll: true });
}

const move = (by) => (state.steps ? moveStep(by) : stepFiring(by));

function setMode(steps) {
  if (state.steps === steps) return;
  Object.assign(state, { steps, node: "" });
  scale = 0;
  render();
}

function select(id) {
  state.node = id;
  renderPanel();
  light();
  writeHash();
}

// Keep a node and show it: in the group that holds it, in a stage that has it.
function goTo(id) {
  if (state.steps) {
    if (id in DATA.stepsPicture.items) select(id);
    return;
  }
  if (!present(state.pass).has(id) && !(state.pass && present(state.pass - 1).has(id))) {
    const [from, to] = DATA.nodes[id].spans[0];
    Object.assign(state, { pass: state.pass < from ? from : to - 1, firing: -1 });
  }
  const host = hostOf(id, state.pass) || id;
  if (above(host) !== state.group) scale = 0;
  Object.assign(state, { node: id, group: above(host) });
  render();
  const item = document.querySelector(`#canvas [data-item="${host}"]`);
  item?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function openGroup(group) {
  Object.assign(state, { group, node: "" });
  scale = 0;
  render();
  document.querySelector("#canvas [data-item]")?.focus({ preventScroll: true });
}

function letGo() {
  if ($("help").open) return $("help").close();
  if (document.activeElement.id === "answer") return document.activeElement.blur();
  if (document.activeElement === $("search") || state.query) {
    $("search").value = state.query = "";
    $("search").blur();
  } else if (state.node) state.node = "";
  else if (state.steps && state.step >= 0) state.step = -1;
  else if (state.firing >= 0) state.firing = -1;
  else if (state.group) {
    state.group = above(state.group);
    scale = 0;
  } else if (state.steps) return setMode(false);
  return render();
}

// -- search ----------------------------------------------------------------------------------

function renderFound() {
  const words = query();
  const found = words ? matches(shownPass()) : new Set();
  const items = new Set([...found].map((id) => itemIn(state.group, hostOf(id, shownPass()))));
  document.body.classList.toggle("searching", Boolean(words));
  for (const element of document.querySelectorAll("#canvas [data-item]")) {
    const id = element.dataset.id;
    element.classList.toggle("hit-by-search", state.steps ? found.has(id) : items.has(element.dataset.item));
  }
  for (const line of $("code-lines").children) {
    line.classList.toggle("hit-by-search", Boolean(words) && line.textContent.toLowerCase().includes(words));
  }
  const passes = words ? DATA.stages.filter((stage, pass) => passMatches(pass)).length : 0;
  $("found").textContent = words
    ? `${grouped(found.size)} node${found.size === 1 ? "" : "s"}, ${passes} pass${passes === 1 ? "" : "es"}` : "";
}

function nextFound() {
  const found = [...matches(shownPass())];
  if (found.length) goTo(found[(found.indexOf(state.node) + 1) % found.length]);
}

// -- keys ------------------------------------------------------------------------------------

const KEYS = {
  ArrowLeft: () => move(-1), ArrowRight: () => move(1),
  j: () => movePass(1), k: () => movePass(-1),
  d: () => { state.difference = !state.difference; render(); },
  e: () => setMode(!state.steps),
  q: () => { if (state.steps) toggleQuiz(); },
  "/": () => { $("search").focus(); $("search").select(); },
  "?": () => $("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    event.preventDefault();
    letGo();
    return;
  }
  const field = event.target.closest("input");
  if (field) {
    const isFree = field.id === "answer" && !field.value && ["ArrowLeft", "ArrowRight"].includes(event.key);
    if (field.id === "search" && event.key === "Enter") nextFound();
    if (!isFree) return;
  }
  if ($("help").open) return;
  const roving = event.target.closest("#canvas [data-item], .line[data-ids], [data-pass]");
  if (roving && rove(roving, event.key)) event.preventDefault();
  else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// Within a list one element can be reached by Tab; ↑ and ↓ go to the others, Enter chooses.
function rove(element, key) {
  if (["Enter", " "].includes(key) && !element.matches("button")) {
    if (element.dataset.item) chosen(element);
    else element.click();
    return true;
  }
  const by = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (!by) return false;
  const kind = element.dataset.item ? "#canvas [data-item]" : element.dataset.pass ? "[data-pass]" : ".line[data-ids]";
  const list = element.closest("#code-lines, #user-lines, #pass-list, #canvas");
  const all = [...list.querySelectorAll(kind)];
  const next = all[all.indexOf(element) + by];
  if (!next) return true;
  if (!next.matches("button")) {
    element.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
  }
  next.focus();
  return true;
}

// -- the address -----------------------------------------------------------------------------

function writeHash() {
  const words = CHOICES.filter((key) => state[key] !== START[key])
    .map((key) => `${key}=${encodeURIComponent(state[key] === true ? 1 : state[key] === false ? 0 : state[key])}`);
  const hash = `#${words.join("&")}`;
  if (location.hash !== hash && (words.length || location.hash)) history.replaceState(null, "", hash);
}

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of CHOICES) {
    const word = given.get(key);
    if (word === null) state[key] = START[key];
    else if (typeof START[key] === "boolean") state[key] = word === "1";
    else if (typeof START[key] === "number") state[key] = Number.parseInt(word, 10);
    else state[key] = word;
  }
  const within = (value, low, high) => (Number.isInteger(value) ? Math.max(low, Math.min(high, value)) : low);
  state.pass = within(state.pass, 0, LAST);
  state.firing = within(state.firing, -1, DATA.stages[state.pass].firings.length - 1);
  state.step = within(state.step, -1, ROWS.length - 1);
  state.steps = state.steps && ROWS.length > 0;
  if (!(state.node in DATA.nodes)) state.node = "";
  if (!(state.group in DATA.pictures)) state.group = "";
  $("search").value = state.query;
}

// -- print: one frame a step -----------------------------------------------------------------

function frames() {
  const kept = { ...state };
  const made = [];
  const add = (title, words, ...extra) => {
    const { root, frame } = drawing(scene());
    if (state.steps) drawNotes(root);
    else ringFiring(root);
    const [, , width, height] = frame;
    root.setAttribute("style", `aspect-ratio: ${width} / ${height}; max-height: ${extra.length ? 13 : 22}cm`);
    made.push(el("section", { class: "frame" }, el("h2", {}, title), el("p", {}, words), root, ...extra));
  };
  if (state.steps) {
    ROWS.forEach((row, step) => {
      state.step = step;
      add(`Step ${step + 1} of ${ROWS.length}`, "", traceTable(step));
    });
  } else {
    DATA.stages.forEach((stage, pass) => {
      if (stage.idle) return;
      Object.assign(state, { pass, firing: -1, group: "" });
      add(stage.name, stage.title, el("dl", { class: "measures" }, ...measures(pass)));
      stage.firings.slice(0, 50).forEach((firing, place) => {
        state.firing = place;
        add(`${stage.name}: firing ${place + 1} of ${stage.firings.length}`, "", firingTold(firing));
      });
    });
  }
  Object.assign(state, kept);
  return made;
}

addEventListener("beforeprint", () => $("print").replaceChildren(...frames()));
addEventListener("afterprint", () => $("print").replaceChildren());

// -- start -----------------------------------------------------------------------------------

$("name").textContent = DATA.name;
$("subject").textContent = [DATA.subject, DATA.point && `${DATA.unevaluated ? "costs" : "numbers"} at ${DATA.point}`].filter(Boolean).join(" · ");
$("mode-passes").addEventListener("click", () => setMode(false));
$("mode-steps").addEventListener("click", () => setMode(true));
$("mode-steps").disabled = !ROWS.length;
$("mode-steps").title = ROWS.length ? "" : DATA.steps.leftOut;
$("difference").addEventListener("click", KEYS.d);
$("idle-button").addEventListener("click", () => { state.idle = !state.idle; render(); });
$("help-button").addEventListener("click", KEYS["?"]);
$("zoom-in").addEventListener("click", () => zoom(1.25));
$("zoom-out").addEventListener("click", () => zoom(0.8));
$("zoom-fit").addEventListener("click", () => zoom(0));
$("search").addEventListener("input", () => { state.query = $("search").value; render(); });
addEventListener("hashchange", () => { readHash(); scale = 0; render(); });
addEventListener("resize", () => { scale = 0; renderPicture(); light(); });
document.body.prepend(arrowheads());
readHash();
renderUserLines();
render();
document.documentElement.dataset.ready = "true";
