// Numbers as people read them; null is what was not observed.

export const NOTHING = "–";

const known = (write) => (value) => (value === null || value === undefined ? NOTHING : write(value));
const digits = (value, most) => value.toLocaleString("en", { maximumFractionDigits: most });
export const count = known((value) => digits(value, 0));
export const rate = known((value) => digits(value, value < 10 ? 1 : 0));
export const few = known((value) => digits(value, 1));
export const milliseconds = known((value) => `${digits(value, value < 10 ? 2 : value < 100 ? 1 : 0)} ms`);
export const share = known((value) => `${digits(100 * value, 0)} %`);
export const dollars = known((value) => {
  if (value > 0 && value < 0.01) return `$${value.toPrecision(2)}`;
  return `$${value.toFixed(value < 1 ? 3 : 2)}`;
});
export const clock = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");

export function ago(seconds) {
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600) % 24;
  const days = Math.floor(seconds / 86400);
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
