// The box to try a text in.

import { milliseconds } from "./numbers.js";
import { byId, node } from "./tables.js";

export function offer(models) {
  const select = byId("try-model");
  const values = models.map((model) => JSON.stringify([model.name, model.version, model.pairs]));
  if (values.join() === Array.from(select.options, (option) => option.value).join()) return;
  const chosen = select.value;
  const option = (model, number) => new Option(`${model.name} ${model.version}`, values[number]);
  select.replaceChildren(...models.map(option));
  if (values.includes(chosen)) select.value = chosen;
  pairUp();
}

export function pairUp() {
  const { value } = byId("try-model");
  byId("try-second").hidden = !(value && JSON.parse(value)[2]);
}

export async function ask(event) {
  event.preventDefault();
  const answer = byId("try-answer"), { value } = byId("try-model");
  if (!value) {
    answer.replaceChildren(node("span", "No model is ready.", "wrong"));
    return;
  }
  const [model, version, pairs] = JSON.parse(value);
  const asked = { model, version, text: byId("try-text").value };
  if (pairs) asked.text_pair = byId("try-pair").value;
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch("try", { method: "POST", headers, body: JSON.stringify(asked) });
    const told = await response.json();
    answer.replaceChildren(response.ok ? answered(told) : node("span", told.error, "wrong"));
  } catch {
    answer.replaceChildren(node("span", "The server does not answer.", "wrong"));
  }
}

function answered(told) {
  const found = node("dl"), spent = told.microseconds;
  const line = (name, value) => found.append(node("dt", name), node("dd", value));
  told.outputs.forEach((output) => line(output.name, output.value));
  line("variant", told.variant);
  const parts = ["tokenise", "queue", "compute"].map((stage) => `${stage} ${milliseconds(spent[stage] / 1000)}`);
  line("time", `${milliseconds(spent.total / 1000)}: ${parts.join(", ")}`);
  if (told.truncated) line("truncated", "the text is longer than the model takes");
  return found;
}
