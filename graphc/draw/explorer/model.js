// What the page knows: the data, the state, and what follows from both. Nothing here draws.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const LAST = DATA.stages.length - 1;

// Everything that the address hash restores.
const START = {
  pass: 0, firing: -1, node: "", group: "", difference: true, idle: false, query: "",
  steps: false, step: -1, quiz: false,
};
const state = { ...START };
const CHOICES = Object.keys(START);

const remembered = (compute) => {
  const known = new Map();
  return (key) => {
    if (!known.has(key)) known.set(key, compute(key));
    return known.get(key);
  };
};

// The nodes of a stage: id -> what the stage shows of it.
const present = remembered((pass) => {
  const found = new Map();
  for (const [id, node] of Object.entries(DATA.nodes)) {
    const span = node.spans.find(([from, to]) => from <= pass && pass < to);
    if (span) found.set(id, span[2]);
  }
  return found;
});

// Id -> the places of the lines in the code of a stage.
const linesOf = remembered((pass) => {
  const found = new Map();
  DATA.codes[DATA.stages[pass].code].forEach(([, ids], place) => {
    for (const id of ids) found.set(id, [...(found.get(id) || []), place]);
  });
  return found;
});

// What a stage did to each node: id -> its mark and event.
const events = remembered((pass) => {
  const found = new Map();
  for (const [id, node] of Object.entries(DATA.nodes)) {
    const event = node.events.find(([stage]) => stage === pass);
    if (event) found.set(id, { mark: event[1], rule: event[2], into: event[3] });
  }
  return found;
});

// Ids by the line of the user's file that they come from.
const byUserLine = (() => {
  const found = new Map();
  for (const [id, node] of Object.entries(DATA.nodes)) {
    const key = node.origin.join(":");
    if (key) found.set(key, [...(found.get(key) || []), id]);
  }
  return found;
})();

const isGroup = (id) => id in DATA.groups;
const above = (id) => DATA.parent[id] || "";

// The item that stands for a node in a picture: itself, a group, or nothing.
function itemIn(picture, id) {
  let item = id;
  while (above(item) !== picture) {
    item = above(item);
    if (!item) return "";
  }
  return item;
}

// The box that stands for a node in a stage, or in the one before where it is gone.
function hostOf(id, pass) {
  const facts = present(pass).get(id) || (pass > 0 && present(pass - 1).get(id));
  return facts ? facts.host || id : "";
}

function summary(id, pass) {
  const node = DATA.nodes[id];
  const facts = present(pass).get(id) || node.spans[node.spans.length - 1][2];
  return { ...node, ...facts };
}

const hasDifference = (pass) => pass > 0 && !DATA.stages[pass].idle;
const stepRow = () => (state.steps && state.step >= 0 ? DATA.steps.rows[state.step] : null);
const shownPass = () => (state.steps ? DATA.steps.code : state.pass);

// -- numbers ---------------------------------------------------------------------------------

const grouped = (number) => number.toLocaleString("en-US");

function difference(number) {
  if (number === null) return DATA.unevaluated ? "not computed" : "no output in common";
  if (number === 0) return "0";
  if (typeof number === "string") return number;
  const [digits, exponent] = number.toExponential(1).split("e");
  return `${digits} · 10${raised(String(Number(exponent)))}`;
}

const raised = (text) => [...text].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");

// The number that an answer states, with a point or a comma; NaN where it states none.
function numberIn(text) {
  const plain = text.trim().replace("−", "-").replace(",", ".");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

// Whether a number is right: to the three decimals, or three digits, that the trace shows.
function isRight(number, value) {
  const size = Math.abs(value);
  const room = size >= 1 ? 5.1e-4 * size : size >= 0.01 || size === 0 ? 5.1e-4 : 5.1e-3 * size;
  return Math.abs(number - value) <= room;
}

// -- search ----------------------------------------------------------------------------------

const textOf = (id, facts) => {
  const node = DATA.nodes[id];
  const words = [node.name, facts.op, facts.formula, node.type, node.scope, node.note, id];
  return words.join("\n").toLowerCase();
};

const matching = remembered((key) => {
  const [pass, query] = [Number(key.split(" ", 1)[0]), key.slice(key.indexOf(" ") + 1)];
  const found = new Set();
  for (const [id, facts] of present(pass)) if (textOf(id, facts).includes(query)) found.add(id);
  return found;
});

const query = () => state.query.trim().toLowerCase();
const matches = (pass) => matching(`${pass} ${query()}`);

function passMatches(pass) {
  const stage = DATA.stages[pass];
  const words = [stage.name, stage.title, ...stage.firings.map((f) => f.rule)];
  if (words.join("\n").toLowerCase().includes(query())) return true;
  return [...events(pass).keys()].some((id) => {
    const facts = present(pass).get(id) || present(pass - 1).get(id);
    return textOf(id, facts).includes(query());
  });
}

// -- elements --------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);
const $ = (id) => document.getElementById(id);

// Formulas of the trace are HTML that graphc wrote and escaped.
function formula(html, attributes) {
  const element = el("span", attributes);
  element.innerHTML = html;
  return element;
}
