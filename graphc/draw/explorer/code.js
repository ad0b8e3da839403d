// The right: the emitted code and the user's lines; and the light that joins all three.

let shownCode = "";

function renderCode() {
  const pass = shownPass();
  const stage = DATA.stages[pass];
  $("code-title").textContent = state.steps
    ? `Code of the graph ${DATA.steps.code > DATA.steps.stage ? "and its adjoints" : "as written"}`
    : `Code after “${stage.name}”`;
  const key = `${stage.code} ${pass > 0 ? DATA.stages[pass - 1].code : ""} ${state.steps}`;
  if (key === shownCode) return;
  shownCode = key;
  const before = pass > 0 && !state.steps ? lineSet(DATA.stages[pass - 1].code) : null;
  const lines = DATA.codes[stage.code].map(([line, ids], place) => {
    const isNew = before && !before.has(line) && DATA.lines[line].length > 0;
    return codeLine(line, ids, place, isNew);
  });
  $("code-lines").replaceChildren(...lines);
  lines.find((line) => line.dataset.ids)?.setAttribute("tabindex", 0);
}

const lineSet = (code) => new Set(DATA.codes[code].map(([line]) => line));

function codeLine(line, ids, place, isNew) {
  const indent = DATA.lines[line][0]?.[1].search(/\S|$/) || 0;
  const pieces = DATA.lines[line].map(([kind, words]) => (kind ? el("span", { class: kind }, words) : words));
  return el("div", {
    class: `line${isNew ? " fresh" : ""}`, role: "option", "aria-selected": "false",
    "data-place": place, "data-ids": ids.length ? ids.join(" ") : null, tabindex: ids.length ? -1 : null,
  }, el("span", { class: "number", "aria-hidden": "true" }, isNew ? "+" : "", String(place + 1)),
  el("code", { style: `--indent: ${indent}ch` }, ...pieces));
}

function renderUserLines() {
  const several = new Set(DATA.userLines.map(([file]) => file)).size > 1;
  const lines = DATA.userLines.map(([file, number, words], place) => el("div", {
    class: "line", role: "option", "aria-selected": "false", "data-origin": `${file}:${number}`,
    "data-ids": (byUserLine.get(`${file}:${number}`) || []).join(" "), tabindex: place ? -1 : 0,
  }, el("span", { class: "number" }, `${several ? `${file}:` : ""}${number}`), el("code", {}, words)));
  $("user-lines").replaceChildren(...lines);
  $("user").hidden = !lines.length;
  const files = [...new Set(DATA.userLines.map(([file]) => file))];
  $("user").querySelector("h2").textContent = `In ${files.length === 1 ? files[0] : "your files"}`;
}

for (const list of ["code-lines", "user-lines"]) {
  const idsAt = (event) => event.target.closest("[data-ids]")?.dataset.ids.split(" ").filter(Boolean);
  $(list).addEventListener("mouseover", (event) => light(idsAt(event) || [], list));
  $(list).addEventListener("mouseleave", () => light());
  $(list).addEventListener("focusin", (event) => light(idsAt(event) || [], list));
  $(list).addEventListener("click", (event) => {
    const ids = idsAt(event);
    if (ids?.length) goTo(mainOf(ids));
  });
}

// Of the nodes in a line, the one that the line is about: the last that has a box.
function mainOf(ids) {
  const boxed = ids.filter((id) => hostOf(id, shownPass()) === id && !isLeaf(id));
  return boxed[boxed.length - 1] || ids[ids.length - 1];
}

const isLeaf = (id) => ["input", "parameter"].includes(summary(id, shownPass()).kind);

// Light nodes, their code lines and their lines in the user's file; without ids, what is kept.
function light(ids, from) {
  const row = stepRow();
  const kept = ids || (state.node ? [state.node] : row ? litBy(row) : []);
  const pass = shownPass();
  const [items, edges] = [new Set(), new Set(kept)];
  for (const id of kept) {
    const host = hostOf(id, state.steps ? DATA.steps.stage : state.pass) || id;
    items.add(state.steps ? host : itemIn(state.group, host));
  }
  for (const element of document.querySelectorAll("#canvas [data-item]")) {
    const isLit = items.has(element.dataset.item) || edges.has(element.dataset.id);
    element.classList.toggle("lit", isLit && kept.length > 0);
    element.classList.toggle("kept", element.dataset.id === state.node);
  }
  lightEdges(state.steps && !ids ? new Set() : items);
  lightLines(kept, pass, from);
}

const litBy = (row) => [row.phase === "backward" && row.adjoint ? row.adjoint : row.node];

function lightEdges(items) {
  for (const path of document.querySelectorAll("#canvas [data-edge]")) {
    const [from, to] = path.dataset.edge.split(">");
    path.classList.toggle("lit", items.has(from) || items.has(to));
  }
}

function lightLines(ids, pass, from) {
  const places = new Set(ids.flatMap((id) => linesOf(pass).get(id) || []));
  const origins = new Set(ids.map((id) => DATA.nodes[id].origin.join(":")));
  toggleLines("code-lines", (line) => places.has(Number(line.dataset.place)), from);
  toggleLines("user-lines", (line) => origins.has(line.dataset.origin), from);
}

function toggleLines(list, isLit, from) {
  let first = null;
  for (const line of $(list).children) {
    const lit = isLit(line);
    line.classList.toggle("lit", lit);
    line.setAttribute("aria-selected", String(lit));
    if (lit && !first) first = line;
  }
  if (first && from !== list) reveal(first, $(list));
}

// Scroll a list so that a line shows; nothing else on the page moves.
function reveal(line, list) {
  const [top, bottom] = [line.offsetTop - list.offsetTop, line.offsetTop - list.offsetTop + line.offsetHeight];
  if (top < list.scrollTop) list.scrollTop = top - 8;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight + 8;
}
