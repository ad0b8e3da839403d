// The middle: the graph after a pass, or the graph that is being evaluated.

const HEAD = DATA.head;
const RIM = "r";
const MARKS = { "+": "added", "-": "removed", "~": "changed" };
const SIGNS = { "+": "+", "-": "−", "~": "~" };

let scale = 0; // 0: fitted anew

// What a picture shows now: items with their facts, and edges.
function scene() {
  return state.steps ? stepsScene() : passScene(state.pass, state.group, state.difference);
}

function passScene(pass, group, withDifference) {
  const picture = DATA.pictures[group];
  const now = present(pass);
  const before = withDifference && hasDifference(pass) ? present(pass - 1) : new Map();
  const marks = before.size ? events(pass) : new Map();
  const items = new Map();
  const edges = new Map();
  const show = (id, facts, isGone) => {
    if (facts.host) return;
    const item = itemIn(group, id);
    if (!item) return;
    if (isGroup(item)) addMember(items, item, id, marks.get(id), isGone);
    else items.set(item, { facts, mark: marks.get(id)?.mark || "" });
  };
  for (const [id, facts] of now) show(id, facts, false);
  for (const [id, facts] of before) if (!now.has(id) || now.get(id).host) show(id, facts, true);
  for (const [nodes, kind] of [[before, "gone"], [now, ""]]) {
    for (const [id, facts] of nodes) {
      for (const read of facts.reads || []) addEdge(edges, picture, group, read, id, kind);
    }
  }
  if (before.size) {
    for (const edge of edges.values()) {
      const reads = before.get(edge.head)?.reads;
      if (!edge.kind && !(reads && reads.includes(edge.tail))) edge.kind = "new";
    }
  }
  for (const edge of edges.values()) {
    for (const end of [edge.from, edge.to]) {
      if (end.startsWith(RIM)) items.set(end, { rim: end.slice(1), mark: "" });
    }
  }
  return { picture, items, edges, chapter: chapterOf(pass), key: group };
}

function addMember(items, group, id, event, isGone) {
  const entry = items.get(group) || { group: true, count: 0, gone: 0, events: [], mark: "" };
  if (isGone) entry.gone += 1;
  else entry.count += 1;
  if (event) entry.events.push(event.mark);
  const isOne = entry.events.length === entry.count + entry.gone && new Set(entry.events).size === 1;
  entry.mark = isOne ? entry.events[0] : entry.events.length ? "~" : "";
  items.set(group, entry);
}

function addEdge(edges, picture, group, tail, head, kind) {
  const from = itemIn(group, tail) || RIM + outside(group, tail);
  const to = itemIn(group, head) || RIM + outside(group, head);
  const key = `${from}>${to}`;
  if (key in picture.paths) edges.set(key, { from, to, tail, head, kind });
}

// What stands for an outer node at the rim of a picture: the largest group that does not hold it.
function outside(group, id) {
  let around = group;
  let item = "";
  while (!item && around) {
    around = above(around);
    item = itemIn(around, id);
  }
  return item;
}

function stepsScene() {
  const items = new Map();
  const edges = new Map();
  const now = present(DATA.steps.stage);
  for (const id of Object.keys(DATA.stepsPicture.items)) {
    items.set(id, { facts: now.get(id), mark: "", notes: true });
  }
  for (const [id, { facts }] of items) {
    for (const read of facts.reads) {
      edges.set(`${read}>${id}`, { from: read, to: id, tail: read, head: id, kind: "" });
    }
  }
  return { picture: DATA.stepsPicture, items, edges, chapter: [0, DATA.steps.stage], key: "steps" };
}

// Stages from the model to its derivative, and from there on: within each nothing moves.
function chapterOf(pass) {
  const derived = DATA.steps.code > DATA.steps.stage ? DATA.steps.code : LAST + 1;
  return pass < derived ? [0, derived - 1] : [0, LAST];
}

const frameOf = remembered((key) => {
  const [group, last] = JSON.parse(key);
  if (group === "steps") return [0, 0, ...DATA.stepsPicture.size];
  const picture = DATA.pictures[group];
  const shown = new Set();
  for (let pass = 0; pass <= last; pass += 1) {
    for (const id of present(pass).keys()) shown.add(itemIn(group, id));
  }
  const places = Object.entries(picture.items)
    .filter(([item]) => shown.has(item) || item.startsWith(RIM)).map(([, place]) => place);
  if (!places.length) return [0, 0, ...picture.size];
  for (const [key, path] of Object.entries(picture.paths)) {
    const [from, to] = key.split(">");
    if (![from, to].every((end) => shown.has(end) || end.startsWith(RIM))) continue;
    const points = path.match(/-?\d+/g).map(Number);
    for (let i = 0; i < points.length; i += 2) places.push([points[i], points[i + 1], 0, 0]);
  }
  const [left, top] = [0, 1].map((i) => Math.min(...places.map((p) => p[i])) - 16);
  const [right, bottom] = [0, 1].map((i) => Math.max(...places.map((p) => p[i] + p[i + 2])) + 16);
  return [left, top, right - left, bottom - top];
});

// -- drawing ---------------------------------------------------------------------------------

function drawing(shown) {
  const frame = frameOf(JSON.stringify([shown.key, shown.chapter[1]]));
  const words = [...shown.items].map(([id, item]) => told(id, item)).join(". ");
  const root = svg("svg", {
    viewBox: frame.join(" "), role: "group", "aria-roledescription": "graph",
    "aria-label": `${shown.items.size} boxes. ${words.slice(0, 4000)}`,
  });
  const lines = svg("g", { "aria-hidden": "true" });
  for (const [key, edge] of shown.edges) {
    const path = shown.picture.paths[key];
    if (path) lines.append(svg("path", { d: path, class: edgeClass(edge), "data-edge": key }));
  }
  root.append(lines);
  for (const [id, item] of shown.items) {
    const place = shown.picture.items[id];
    if (place) root.append(box(id, item, place));
  }
  return { root, frame };
}

// Outside of everything that is hidden when printing: a hidden marker draws nothing.
function arrowheads() {
  const kinds = ["plain", "back", "cross", "new", "gone", "lit"];
  const markers = kinds.map((kind) =>
    svg("marker", {
      id: `arrow-${kind}`, viewBox: "0 0 8 8", refX: 7.2, refY: 4, markerWidth: 8, markerHeight: 8,
      markerUnits: "userSpaceOnUse", orient: "auto-start-reverse",
    }, svg("path", { d: "M0 0.8 L8 4 L0 7.2 z", class: `head ${kind}` })));
  return svg("svg", { class: "arrowheads", width: 0, height: 0, "aria-hidden": "true" }, svg("defs", {}, ...markers));
}

function edgeClass(edge) {
  const [tail, head] = [edge.tail, edge.head].map((id) => DATA.nodes[id].phase);
  const block = tail !== head ? "cross" : head === "backward" ? "back" : "plain";
  return `edge ${edge.kind || block}${edge.kind && block === "back" ? " dashed" : ""}`;
}

const titleOf = (id) => (isGroup(id) ? DATA.groups[id].title : DATA.nodes[id].name);

function told(id, item) {
  if (item.rim) return `${titleOf(item.rim)}, outside`;
  if (item.group) {
    return `${DATA.groups[id].title}: ${grouped(item.count)} nodes, collapsed`;
  }
  const { name } = DATA.nodes[id];
  const { kind, formula: text, shape, out } = item.facts;
  const parts = [kind === "operation" || kind === "output" ? `${name} = ${text}` : `${name}: ${kind}`];
  if (shape) parts.push(shape);
  if (out) parts.push(`output ${out.join(", ")}`);
  if (item.mark) parts.push(MARKS[item.mark]);
  return parts.join(", ");
}

function box(id, item, [x, y, width, height]) {
  const kind = item.rim ? "rim" : item.group ? "group" : item.facts.kind;
  const group = svg("g", {
    class: `box ${kind} ${MARKS[item.mark] || ""}`, transform: `translate(${x} ${y})`,
    "data-item": id, "data-id": item.rim || id, tabindex: -1, role: "button",
    "aria-label": told(id, item),
  });
  const notes = item.notes ? 32 : 0;
  const body = height - HEAD - notes;
  if (item.rim) {
    group.append(svg("rect", { class: "body", width, height, rx: height / 2 }),
      text(width / 2, height / 2 + 4.5, "name middle", titleOf(item.rim)));
    return group;
  }
  const title = titleOf(id);
  group.append(
    svg("rect", { class: "hit", y: -3, x: -3, width: width + 6, height: height + 6 }),
    svg("rect", { class: "ring", x: -4, y: HEAD - 4, width: width + 8, height: body + 8, rx: 7 }),
    text(1, HEAD - 5, "name", title),
    text(width - 1, HEAD - 5, "shape end", aside(id, item, title)),
    svg("rect", { class: "body", y: HEAD, width, height: body, rx: 3 }),
    text(width / 2, HEAD + body / 2 + 4.5, "formula middle", inside(item)),
  );
  if (item.group) {
    group.append(svg("rect", { class: "inner", x: 3, y: HEAD + 3, width: width - 6, height: body - 6, rx: 2 }));
  }
  if (item.mark) {
    group.append(svg("circle", { class: "badge", cx: width, cy: HEAD, r: 8.5 }),
      text(width, HEAD + 4.5, "sign middle", SIGNS[item.mark]));
  }
  return group;
}

// What stands beside the name: its number in the trace, or the shape.
function aside(id, item, title) {
  if (item.group) return "";
  if (!state.steps) return item.facts.shape || "";
  const number = DATA.steps.numbers[id] ?? "";
  return number === title ? "" : number;
}

function inside(item) {
  if (!item.group) return item.facts.formula;
  const count = `${grouped(item.count)} node${item.count === 1 ? "" : "s"}`;
  return item.gone ? `${count}, −${item.gone}` : count;
}

const text = (x, y, kind, words) => svg("text", { x, y, class: kind }, words);

// -- on the page -----------------------------------------------------------------------------

function renderPicture() {
  const focused = document.activeElement?.dataset?.item;
  const shown = scene();
  const { root, frame } = drawing(shown);
  const canvas = $("canvas");
  const [left, top] = [canvas.scrollLeft, canvas.scrollTop];
  canvas.replaceChildren(root);
  size(root, frame);
  canvas.scrollTo({ left, top, behavior: "instant" });
  root.addEventListener("click", (event) => chosen(event.target.closest("[data-item]")));
  root.addEventListener("mouseover", (event) => pointed(event.target.closest("[data-item]")));
  root.addEventListener("mouseleave", () => light());
  root.addEventListener("focusin", (event) => pointed(event.target.closest("[data-item]")));
  const boxes = [...root.querySelectorAll("[data-item]")];
  const current = boxes.find((b) => b.dataset.item === focused) ||
    boxes.find((b) => b.dataset.id === state.node) || boxes[0];
  current?.setAttribute("tabindex", 0);
  if (focused) current?.focus({ preventScroll: true });
  if (state.steps) drawNotes(root);
  else ringFiring(root);
  renderTrail();
  renderLegend();
}

function size(root, [, , width, height]) {
  const canvas = $("canvas");
  if (!scale) {
    const fit = Math.min((canvas.clientWidth - 4) / width, (canvas.clientHeight - 4) / height);
    const across = (canvas.clientWidth - 18) / width;
    scale = Math.max(Math.min(fit, 1.2), Math.min(across, 0.85), 0.7);
  }
  root.setAttribute("width", Math.round(width * scale));
  root.setAttribute("height", Math.round(height * scale));
}

function zoom(factor) {
  scale = factor ? Math.min(3, Math.max(0.2, scale * factor)) : 0;
  renderPicture();
  light();
}

function chosen(element) {
  if (!element) return select("");
  const id = element.dataset.id;
  const isRim = element.dataset.item.startsWith(RIM);
  if (isGroup(id)) return openGroup(isRim ? above(id) : id);
  if (isRim) return goTo(id);
  return select(state.node === id ? "" : id);
}

function pointed(element) {
  if (!element) return light();
  const id = element.dataset.id;
  return light(isGroup(id) ? DATA.groups[id].members : [id], "picture");
}

function renderTrail() {
  const trail = [];
  for (let group = state.group; group; group = above(group)) trail.unshift(group);
  const link = (group, title) =>
    el("button", { onclick: () => openGroup(group), "aria-current": group === state.group || null }, title);
  const parts = state.steps || !Object.keys(DATA.groups).length
    ? [] : [link("", "all"), ...trail.flatMap((g) => [" › ", link(g, DATA.groups[g].title)])];
  $("trail").replaceChildren(...parts);
}

function renderLegend() {
  const button = $("difference");
  button.hidden = state.steps;
  button.disabled = !hasDifference(state.pass);
  button.setAttribute("aria-pressed", String(state.difference && hasDifference(state.pass)));
  const counts = { "+": 0, "-": 0, "~": 0 };
  if (!state.steps && hasDifference(state.pass)) {
    for (const event of events(state.pass).values()) counts[event.mark] += 1;
  }
  const words = Object.entries(counts).filter(([, count]) => count).map(([mark, count]) =>
    el("span", { class: `mark ${MARKS[mark]}`, title: `${count} nodes ${MARKS[mark]}` },
      `${SIGNS[mark]}${grouped(count)} ${MARKS[mark]}`));
  $("legend").replaceChildren(...words);
  if (state.steps) {
    $("legend").replaceChildren(el("span", { class: "value" }, "▸ value"), " ",
      ...(DATA.steps.code > DATA.steps.stage ? [el("span", { class: "adjoint" }, "◂ adjoint")] : []));
  }
}

// Rings around what a firing matched and made.
function ringFiring(root) {
  const firing = DATA.stages[state.pass].firings[state.firing];
  if (!firing) return;
  const mark = (ids, kind) => {
    for (const id of ids) {
      const item = itemIn(state.group, hostOf(id, state.pass) || id);
      root.querySelector(`[data-item="${item}"]`)?.classList.add(kind);
    }
  };
  mark(firing.matched, "matched");
  mark(firing.made ? [firing.made] : [], "made");
  root.classList.add("focused");
  root.querySelector(".made, .matched")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
