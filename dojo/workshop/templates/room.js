// Shows what the server sends. All texts come from learners, so each is put in as text and never as HTML.
"use strict";
const by = (id) => document.getElementById(id);
const rows = new Map(); // a table row for each person, by number
let view = null, arrived = 0;

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function lasting(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
}

function newRow(person) {
  const row = element("tr"), who = element("td", "", "who"), claim = element("td");
  const button = element("button", "their code");
  button.addEventListener("click", () => showCode(person.number));
  who.append(element("span", "", "name"), element("span", "", "state"), button);
  claim.append(element("span", "", "sentence"), element("span", "", "looks"));
  row.append(who, element("td"), claim, ...["", "", ""].map(() => element("td", "", "number")));
  rows.set(person.number, row);
  return row;
}

const WITHOUT_CLAIM = { "": "", passed: "passed", not_started: "not written yet", error: "the file does not run", refused: "a call that is not allowed" };

function fill(row, person) {
  const [who, at, claim, lasts, tries, hints] = row.children;
  const stuck = person.here && person.stuck >= 1;
  put(who.querySelector(".name"), person.name);
  put(who.querySelector(".state"), person.left ? " left" : person.here ? (stuck ? " · stuck" : "") : " away");
  who.querySelector("button").hidden = !person.shown;
  put(at, person.kata && (person.step ? `${person.kata} step ${person.step}` : person.kata));
  put(claim.querySelector(".sentence"), person.sentence || WITHOUT_CLAIM[person.verdict] || "");
  put(claim.querySelector(".looks"), person.mistakes.length ? `looks like: ${person.mistakes.join("; ")}` : "");
  const elapsed = person.here ? Math.floor((Date.now() - arrived) / 1000) : 0;
  put(lasts, person.kata ? lasting(person.seconds + elapsed) : "");
  put(tries, person.tries ? String(person.tries) : "");
  put(hints, person.hints ? String(person.hints) : "");
  const kind = !person.here ? "away" : stuck ? "stuck" : person.verdict;
  if (row.className !== kind) row.className = kind;
}

function fillTalk(talk) {
  const card = by("talk");
  card.hidden = !talk;
  const told = JSON.stringify(talk);
  if (!talk || card.dataset.shown === told) return;
  card.dataset.shown = told;
  const step = talk.step ? `, step ${talk.step}` : "";
  put(card.querySelector(".where"), `${talk.kata} · ${talk.title}${step}: ${talk.people === 1 ? "one is" : talk.people + " are"} at it`);
  put(card.querySelector("blockquote"), talk.sentence);
  const mistakes = talk.mistakes.map(([name, count]) => element("li", `${name} (${count})`));
  card.querySelector(".mistakes").replaceChildren(...(mistakes.length ? mistakes : [element("li", "nothing that has a name")]));
  const open = [...card.querySelectorAll("details")].map((hint) => hint.open);
  const hints = talk.hints.map(([kind, text], number) => {
    const hint = element("details");
    hint.append(element("summary", kind), element("p", text));
    hint.open = open[number] ?? number === 0;
    return hint;
  });
  card.querySelector(".hints").replaceChildren(...(hints.length ? hints : [element("p", "There are none for this step.", "soft")]));
}

function fillKatas(katas, people) {
  const list = by("katas");
  while (list.children.length > katas.length) list.lastChild.remove();
  while (list.children.length < katas.length) {
    const item = element("li");
    item.append(element("span"), element("span", "", "number"));
    list.append(item);
  }
  katas.forEach((kata, number) => {
    const item = list.children[number];
    put(item.children[0], `${kata.code} ${kata.title}`);
    put(item.children[1], `${kata.through} of ${people}${kata.at ? `, ${kata.at} at it` : ""}`);
    item.style.setProperty("--share", people ? kata.through / people : 0);
  });
}

function draw() {
  if (!view) return;
  const table = by("rows"), wanted = view.rows.map((person) => rows.get(person.number) || newRow(person));
  view.rows.forEach((person, number) => fill(wanted[number], person));
  if (wanted.length !== table.children.length || wanted.some((row, number) => table.children[number] !== row)) {
    const focused = document.activeElement; // moving a row takes the focus from its button
    table.replaceChildren(...wanted);
    if (focused && focused !== document.activeElement && table.contains(focused)) focused.focus({ preventScroll: true });
  }
  const here = view.rows.filter((person) => person.here).length;
  by("nobody").hidden = view.rows.length > 0;
  put(by("people"), view.people ? `${here} of ${view.people} connected` : "Nobody is here yet.");
  fillTalk(view.talk);
  fillKatas(view.katas, view.people);
  const guesses = view.guesses ? `${view.guesses} wrong ${view.guesses === 1 ? "code was" : "codes were"} typed; the terminal says from where.` : "";
  trouble([view.trouble, guesses].filter(Boolean).join(" "));
}

function trouble(text) {
  by("trouble").hidden = !text;
  put(by("trouble"), text);
}

async function showCode(number) {
  const answer = await fetch(`/code/${number}`);
  const person = view.rows.find((each) => each.number === number);
  put(by("whose"), person ? person.name : "");
  by("code").querySelector("pre").textContent = answer.ok ? await answer.text() : "It is not shown any more.";
  by("code").showModal();
}

function hideNames() {
  const hidden = document.body.classList.toggle("nameless");
  by("names").setAttribute("aria-pressed", String(hidden));
  put(by("names"), hidden ? "Show names (n)" : "Hide names (n)");
}

by("names").addEventListener("click", hideNames);
document.addEventListener("keydown", (event) => {
  if (event.key === "n" && !event.ctrlKey && !event.metaKey && !event.altKey) hideNames();
});

const events = new EventSource("/events");
events.onmessage = (event) => {
  view = JSON.parse(event.data);
  arrived = Date.now();
  draw();
};
events.onerror = () => trouble("The room's server does not answer. This page comes back with it, by itself.");
setInterval(draw, 1000);
