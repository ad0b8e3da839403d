// The left, and the panel under the picture: passes, firings, and what is known about a node.

const UNITS = ["FLOPs", "bytes moved", "peak bytes"];

function renderPasses() {
  const rows = [];
  let hidden = 0;
  DATA.stages.forEach((stage, pass) => {
    const isHit = query() && passMatches(pass);
    if (stage.idle && !state.idle && pass !== state.pass && !isHit) {
      hidden += 1;
      return;
    }
    rows.push(passRow(stage, pass, isHit));
  });
  $("pass-list").replaceChildren(...rows);
  const idle = DATA.stages.filter((stage) => stage.idle).length;
  $("idle-button").hidden = !idle;
  $("idle-button").setAttribute("aria-expanded", String(state.idle));
  $("idle-button").textContent = state.idle
    ? "Hide passes without effect" : `Show ${hidden} pass${hidden === 1 ? "" : "es"} without effect`;
}

function passRow(stage, pass, isHit) {
  const before = pass > 0 ? `${grouped(DATA.stages[pass - 1].nodes)} → ` : "";
  const count = stage.firings.length;
  const fired = count ? ` · ${grouped(count)} firing${count === 1 ? "" : "s"}` : stage.idle ? " · no effect" : "";
  const isCurrent = pass === state.pass;
  return el("li", { class: query() && !isHit ? "faint" : "" },
    el("button", {
      "data-pass": pass, class: `pass${stage.idle ? " idle" : ""}`, "aria-current": isCurrent ? "step" : null,
      title: stage.title, onclick: () => goToPass(pass),
    },
    el("span", { class: "pass-name" }, stage.name),
    el("span", { class: "pass-nodes" }, `${before}${grouped(stage.nodes)}${before ? "" : " nodes"}${fired}`)));
}

function renderStage() {
  const stage = DATA.stages[state.pass];
  $("stage-title").textContent = state.steps ? "Evaluation" : stage.name;
  $("stage-told").textContent = state.steps ? stepsTold() : stage.title;
  $("measures").replaceChildren(...(state.steps ? [] : measures(state.pass)));
}

function stepsTold() {
  const stage = DATA.stages[DATA.steps.stage];
  const which = DATA.steps.stage ? `The graph after “${stage.name}”` : "The graph as written";
  const back = DATA.steps.code > DATA.steps.stage ? ", forward and then backward" : "";
  return `${which}${DATA.point ? ` at ${DATA.point}` : ""}${back}: one variable a step.`;
}

function measures(pass) {
  const stage = DATA.stages[pass];
  const pair = (name, value, note, title) =>
    el("div", { title }, el("dt", {}, name), el("dd", {}, value, note ? el("small", {}, ` ${note}`) : null));
  const costs = stage.cost.map(([symbolic, number], i) => {
    const old = pass > 0 ? DATA.stages[pass - 1].cost[i][1] : number;
    return pair(UNITS[i], grouped(number), percent(old, number), `${UNITS[i]} = ${symbolic}`);
  });
  if (!pass) return costs;
  const [gap, where] = stage.gap;
  const told = gap === 0 ? "in every output" : where ? `in ${where}` : "";
  return [...costs, pair("largest |before − after|", difference(gap), told,
    DATA.unevaluated || "of all outputs at the sample point, by the reference interpreter")];
}

function percent(old, now) {
  if (!old || old === now) return "";
  const share = (100 * (now - old)) / old;
  if (share >= 1000) return `×${grouped(Math.round(now / old))}`;
  const digits = Math.abs(share) < 9.95 ? 1 : 0;
  return `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(digits)} %`;
}

// -- the panel -------------------------------------------------------------------------------

function renderPanel() {
  const parts = state.steps ? [stepsPanel()] : [firingCard(), nodeCard()];
  $("panel").className = state.steps ? "steps" : "cards";
  $("panel").replaceChildren(...parts.filter(Boolean));
}

function firingCard() {
  const stage = DATA.stages[state.pass];
  const count = stage.firings.length;
  const card = el("section", { class: "card firings", "aria-label": "Firings" });
  if (!count) {
    const derives = state.pass === DATA.steps.code && DATA.steps.code > DATA.steps.stage;
    card.append(...(derives ? adjointList() : [el("h3", {}, "Firings"),
      el("p", { class: "muted" }, state.pass ? "No rule fires." : "This is what the model says.")]));
    return card;
  }
  card.append(stepper("Firing", state.firing, count, stepFiring));
  const firing = stage.firings[state.firing];
  card.append(firing ? firingTold(firing) : firingList(stage.firings));
  return card;
}

function stepper(what, place, count, go) {
  const button = (sign, label, by, isOff) =>
    el("button", { onclick: () => go(by), disabled: isOff, "aria-label": label }, sign);
  return el("div", { class: "stepper" },
    button("←", `${what} before`, -1, place < 0),
    el("h3", {}, what, el("span", { class: "count", role: "status" },
      ` ${place < 0 ? "–" : grouped(place + 1)} of ${grouped(count)}`)),
    button("→", `Next ${what.toLowerCase()}`, 1, place >= count - 1));
}

function firingTold(firing) {
  const [before, after, when] = firing.law;
  return el("div", { class: "told" },
    el("p", { class: "rule" }, el("b", {}, firing.rule), el("span", { class: "muted" }, ` ${EXACTNESS[firing.exactness]}`)),
    el("p", { class: "formulas" }, el("span", { class: "old" }, firing.before),
      el("span", { class: "arrow" }, "→"), el("span", { class: "new" }, firing.after)),
    el("p", {}, firing.why, "."),
    el("p", { class: "muted law" }, "rule: ", el("code", {}, `${before} → ${after}`), when ? ` where ${when}` : ""),
    el("p", { class: "muted" }, "matched ", ...links(firing.matched),
      ...(firing.made ? [", made ", ...links([firing.made])] : [])));
}

const EXACTNESS = {
  exact: "keeps every bit", reassociates: "may round otherwise", assumes_finite: "assumes finite values",
};

function firingList(firings) {
  return el("ol", { class: "firing-list" }, ...firings.slice(0, 200).map((firing, place) =>
    el("li", {}, el("button", { class: "quiet", onclick: () => stepFiring(place - state.firing) },
      el("b", {}, firing.rule), el("span", { class: "muted" }, ` ${firing.before} → ${firing.after}`)))));
}

// The nodes that differentiation added, and whose adjoint each is.
function adjointList() {
  const added = [...events(state.pass).keys()].filter((id) => !present(state.pass).get(id).host);
  return [el("h3", {}, "Adjoints"), el("ol", { class: "firing-list" }, ...added.slice(0, 200).map((id) =>
    el("li", {}, ...links([id]), el("span", { class: "muted" }, ` ${DATA.nodes[id].note || summary(id, state.pass).formula}`))))];
}

const links = (ids) => {
  if (!ids.length) return ["nothing that is in the picture"];
  return ids.flatMap((id, i) => [i ? ", " : "", el("button", { class: "link", onclick: () => goTo(id) }, DATA.nodes[id].name)]);
};

function nodeCard() {
  const card = el("section", { class: "card node", "aria-label": "Node" });
  if (!state.node) {
    const items = DATA.stages[state.pass].nodes;
    card.append(el("h3", {}, "Node"), el("p", { class: "muted" },
      `${grouped(items)} nodes. Hover one to light its code; click to keep it.`));
    return card;
  }
  const node = summary(state.node, state.pass);
  const facts = present(state.pass).get(state.node);
  card.append(el("h3", {}, el("i", {}, node.name), el("span", { class: "muted" }, ` ${node.type}`)));
  const rows = [
    ["computes", node.host ? `${node.op}, inside ${DATA.nodes[node.host].name}` : node.formula],
    ["scope", [node.phase, node.scope].filter(Boolean).join(" · ")],
    ["value", node.value],
    ["from", [node.origin.join(":"), userLine(node.origin)].filter(Boolean).join("  ")],
    ["note", node.note],
    ["code", codePlaces(state.node, facts)],
  ];
  card.append(el("dl", {}, ...rows.filter(([, words]) => words).map(([name, words]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, words)))), fate(state.node));
  return card;
}

function codePlaces(id, facts) {
  const places = (linesOf(state.pass).get(id) || []).map((place) => place + 1);
  if (!facts || !places.length) return "";
  const shown = places.slice(0, 8).join(", ") + (places.length > 8 ? ", …" : "");
  return `line${places.length > 1 ? "s" : ""} ${shown}`;
}

const userLine = ([file, number]) =>
  DATA.userLines.find(([f, n]) => f === file && n === number)?.[2] || "";

// What became of a node, stage by stage.
function fate(id) {
  const node = DATA.nodes[id];
  const rows = [[node.spans[0][0], node.spans[0][0] ? "made" : "written in the model", "", ""]];
  for (const [stage, mark, rule, into] of node.events) {
    if (mark === "+") rows[0] = [stage, "made", rule, ""];
    else rows.push([stage, mark === "~" ? "changed" : into ? "became" : "no longer needed", rule, into]);
  }
  if (node.spans[node.spans.length - 1][1] > LAST) rows.push([LAST, "in the final code", "", ""]);
  return el("ol", { class: "fate", "aria-label": "What became of it" }, ...rows.map(([stage, words, rule, into]) =>
    el("li", { class: stage === state.pass ? "now" : "" },
      el("button", { class: "link", onclick: () => goToPass(stage) }, DATA.stages[stage].name), ` ${words} `,
      ...(into ? links([into]) : []), rule ? el("span", { class: "muted" }, ` by ${rule}`) : null)));
}
