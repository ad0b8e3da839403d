// The evaluation: one variable a step, forward and then backward, with a quiz.

const ROWS = DATA.steps.rows;
const asked = new Set(); // steps whose number was given or asked for

const isHidden = (step) => state.quiz && ROWS[step].answer !== null && !asked.has(step);

// What stands under the boxes after a step: values, and adjoints as far as they are added up.
function notesAt(last) {
  const [values, adjoints] = [new Map(), new Map()];
  for (let step = 0; step <= last; step += 1) {
    const row = ROWS[step];
    const words = isHidden(step) ? "?" : row.short;
    (row.phase === "forward" ? values : adjoints).set(row.node, words);
  }
  return { values, adjoints };
}

function drawNotes(root) {
  const { values, adjoints } = notesAt(state.step);
  const row = stepRow();
  for (const element of root.querySelectorAll("[data-item]")) {
    const id = element.dataset.item;
    const [, , width, height] = DATA.stepsPicture.items[id];
    const note = (y, kind, words) => words !== undefined && element.append(text(width / 2, y, `${kind} middle`, words));
    note(height - 18, "value", values.has(id) ? `▸ ${values.get(id)}` : undefined);
    note(height - 3, "adjoint", adjoints.has(id) ? `◂ ${adjoints.get(id)}` : undefined);
    if (!row) continue;
    element.classList.toggle("current", id === row.node);
    element.classList.toggle("operand", row.reads.includes(id) && id !== row.node);
    if (row.reads.includes(id) && id !== row.node) {
      element.append(text(-6, HEAD + 20, "operand-mark end", row.phase === "forward" ? "▸" : "◂"));
    }
    if (id === row.node) element.setAttribute("aria-current", "step");
  }
  if (row) {
    for (const path of root.querySelectorAll("[data-edge]")) {
      const [from, to] = path.dataset.edge.split(">");
      const [a, b] = row.phase === "forward" ? [from, to] : [to, from];
      path.classList.toggle("active", b === row.node && row.reads.includes(a));
      path.classList.toggle("turned", row.phase === "backward");
    }
    root.querySelector(".current")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function stepsPanel() {
  if (!ROWS.length) return el("p", { class: "muted" }, `No steps: ${DATA.steps.leftOut}.`);
  const quiz = el("button", { "aria-pressed": String(state.quiz), onclick: toggleQuiz, id: "quiz" }, "quiz");
  const bar = stepper("Step", state.step, ROWS.length, moveStep);
  bar.append(quiz, question());
  return el("section", { class: "card trace", "aria-label": "Trace" }, bar,
    el("div", { class: "rows", id: "rows" }, traceTable(state.step)));
}

function question() {
  if (!stepRow() || !isHidden(state.step)) return el("span", { class: "verdict", role: "status" }, verdict());
  const row = stepRow();
  const what = row.norm ? "its norm" : "its value";
  const input = el("input", {
    id: "answer", inputmode: "decimal", autocomplete: "off", size: 9, "aria-label": `What is ${what}?`,
  });
  const said = el("span", { class: "verdict", role: "status", id: "verdict" });
  return el("form", { class: "question", onsubmit: (event) => {
    event.preventDefault();
    const number = numberIn(input.value);
    if (isRight(number, row.answer)) return settle(`right: ${row.value}`);
    said.textContent = Number.isNaN(number) ? "a number, please" : "not yet; try again";
    input.select();
    return undefined;
  } }, el("label", { for: "answer" }, formula(row.left), row.norm ? " norm" : "", " = "), input,
  el("button", {}, "check"), el("button", { type: "button", onclick: () => settle("") }, "show"), said);
}

let lastVerdict = "";
const verdict = () => lastVerdict;

function settle(words) {
  asked.add(state.step);
  lastVerdict = words;
  render();
  document.querySelector("#panel [aria-label^=Next]")?.focus();
}

function toggleQuiz() {
  state.quiz = !state.quiz;
  asked.clear();
  lastVerdict = "";
  render();
  $("quiz")?.focus();
}

function traceTable(last) {
  const body = ROWS.map((row, step) => traceRow(row, step, last));
  const heads = ["", "variable", "formula", "numbers", "value"];
  const back = ROWS.findIndex((row) => row.phase === "backward");
  const heading = (words, kind) => el("tr", { class: `heading ${kind}` }, el("th", { colspan: 5, scope: "colgroup" }, words));
  if (back >= 0) body.splice(back, 0, heading("backward: adjoints, added up from the output", "adjoint"));
  body.unshift(heading("forward: values, from the inputs", "value"));
  const head = el("tr", {}, ...heads.map((words) => el("th", { scope: "col" }, words)));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...body));
}

function traceRow(row, step, last) {
  const isFilled = step <= last;
  const hidden = isFilled && isHidden(step);
  const node = DATA.nodes[row.node];
  const local = row.local ? [" = ", formula(row.local)] : [];
  return el("tr", {
    class: `${step === last ? "current" : ""} ${isFilled ? "filled" : "empty"} ${row.phase}`,
    "data-step": step, "aria-current": step === last ? "step" : null, onclick: () => moveStep(step - state.step),
  },
  el("td", { class: "at" }, String(step + 1)),
  el("td", { class: "who" }, el("i", {}, isNumbered(node.name) ? "" : node.name)),
  el("td", { class: "formula" }, formula(row.left), ` ${row.sign} `, formula(row.formula), ...local),
  el("td", { class: "numbers" }, isFilled ? (isTelling(step) ? "…" : formula(row.numbers)) : ""),
  el("td", { class: "value" }, !isFilled ? "" : hidden ? "?" : row.value));
}

// Whether the numbers put in would tell what an earlier step still hides.
const isTelling = (step) => state.quiz && ROWS.slice(0, step).some((_, before) => isHidden(before));

const isNumbered = (name) => /^v\d+$/.test(name);

function showCurrentRow() {
  const [rows, current] = [$("rows"), document.querySelector("#rows tr.current")];
  if (!rows) return;
  if (!current) rows.scrollTop = 0;
  else rows.scrollTop = Math.max(0, current.offsetTop - rows.clientHeight / 2);
}
