// Asks for console.json every two seconds and writes what changed into the page.

import { CHARTS, draw, figure } from "./charts.js";
import { ago, clock, count, dollars, few, milliseconds, NOTHING, rate, share } from "./numbers.js";
import { byId, fill, say, tile } from "./tables.js";
import { ask, offer, pairUp } from "./trial.js";

const EVERY_MS = 2000;
const PATIENCE_MS = 4000;
const NEWS_MS = 15000;

// What it shows.

let drawnAt = null;

function show(facts) {
  const { server, last, points, models, failures } = facts;
  const status = byId("status");
  say(status, server.status);
  status.className = server.status === "serving" ? "state" : "state bad";
  const workers = last.workers ? ` · ${last.workers.ready} workers ready, ${last.workers.deaths} died` : "";
  const address = server.address ? ` · gRPC on ${server.address}` : "";
  say(byId("server"), `version ${server.version} · up ${ago(server.uptime_seconds)}${address}${workers}`);
  showTiles(last);
  const newest = points.length ? points[points.length - 1].at : 0;
  if (newest !== drawnAt) {
    CHARTS.forEach((chart) => draw(chart, points));
    drawnAt = newest;
  }
  fill(byId("models"), models.map((model) => modelRow(model, last.models)), "no model yet");
  fill(byId("stages"), last.models.flatMap(stageRows), "nothing yet");
  fill(byId("methods"), last.methods.map(methodRow), "no calls yet");
  fill(byId("failures"), failures.map(failureRow), "none");
  byId("try").hidden = !server.tries;
  if (server.tries) offer(models.filter((model) => model.state === "READY"));
}

const words = (text) => [text || NOTHING, "words"];
const latency = (of) => [milliseconds(of.p50_ms), milliseconds(of.p90_ms), milliseconds(of.p99_ms)];

function showTiles(last) {
  tile("texts a second", rate(last.texts_per_second), `${rate(last.calls_per_second)} calls`);
  tile("p50", milliseconds(last.p50_ms), `p90 ${milliseconds(last.p90_ms)}`);
  tile("p99", milliseconds(last.p99_ms), `over ${ago(last.seconds)}`);
  tile("waiting", count(last.queue_texts), `texts; ${count(last.in_flight)} calls in flight`);
  tile("batch fill", share(last.batch_fill), `${few(last.batch_texts)} texts a batch`);
  tile("padding", share(last.batch_padding_share), "of the tokens computed");
  const shed = Object.entries(last.shed).filter(([, number]) => number > 0);
  const total = shed.reduce((sum, [, number]) => sum + number, 0);
  const reasons = shed.map(([reason, number]) => `${reason} ${count(number)}`).join(", ");
  tile("given up", count(total), reasons || "before computing");
  tile("failed a second", rate(last.failed_per_second), "calls with an error");
  if (last.cost) {
    const { dollars_per_million_5m: now, dollars_per_million_start: all, dollars_spent: spent } = last.cost;
    tile("a million texts", dollars(now), `${dollars(all)} since the start`);
    tile("spent", dollars(spent), `${dollars(last.cost.dollars_per_hour)} an hour`);
  }
}

function modelRow(model, numbers) {
  const of = numbers.find((one) => one.name === model.name && one.version === model.version) || {};
  const where = model.processes > 1 ? ` × ${model.processes}` : "";
  return [
    model.name,
    words(model.version),
    [model.state + where, model.state === "READY" ? "words" : "words state bad"],
    words(model.variant),
    words(model.provider.replace("ExecutionProvider", "")),
    rate(of.texts_per_second),
    rate(of.failures_per_second),
    share(of.route_share),
    share(of.agreement),
    count(of.queue_texts),
    few(of.batch_texts),
    share(of.batch_fill),
    share(of.batch_padding_share),
    model.reason ? [model.reason, "words long"] : words(""),
  ];
}

function stageRows(model) {
  const name = `${model.name} ${model.version}`;
  return Object.entries(model.stages).map(([stage, of]) => [name, words(stage), ...latency(of)]);
}

function methodRow(of) {
  return [of.method, rate(of.calls_per_second), rate(of.failed_per_second), ...latency(of)];
}

function failureRow(one) {
  const what = [one.message, "words long"];
  return [clock(one.last), words(one.code), words(one.method), words(one.model), count(one.count), what];
}

// When it asks.

let paused = false, lastFacts = null, lastAt = null, newsUntil = 0, asking = false, timer = 0;

function notice(text) {
  const box = byId("notice");
  say(box, text);
  box.hidden = !text;
}

async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const response = await fetch("console.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) throw new Error(response.statusText);
    take(await response.json());
  } catch {
    const since = lastAt ? ` since ${clock(lastAt / 1000)}; what you see is from then` : "";
    notice(`The server does not answer${since}. Asking again …`);
    byId("status").className = "state bad";
    say(byId("status"), "no answer");
    newsUntil = 0;
  }
  asking = false;
}

function take(facts) {
  const restarted = lastFacts && lastFacts.server.started !== facts.server.started;
  if (restarted) newsUntil = Date.now() + NEWS_MS;
  const news = `The server was started anew at ${clock(facts.server.started)}; its numbers began again.`;
  notice(Date.now() < newsUntil ? news : "");
  show(facts);
  lastFacts = facts;
  lastAt = Date.now();
}

async function go() {
  clearTimeout(timer);
  if (paused || document.hidden) return;
  await refresh();
  clearTimeout(timer);
  timer = setTimeout(go, EVERY_MS);
}

byId("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", String(paused));
  go();
});
document.addEventListener("visibilitychange", go);
byId("try-model").addEventListener("change", pairUp);
byId("try").querySelector("form").addEventListener("submit", ask);
byId("charts").append(...CHARTS.map(figure));
go();
