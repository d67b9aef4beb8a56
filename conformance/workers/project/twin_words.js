// How values and errors are said, as twin_words.py says them.

export function shown(value) {
  if (value === undefined || value === null) return "none";
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (value instanceof Uint8Array) return `bytes ${Array.from(value, (b) => b.toString(16).padStart(2, "0")).join("")}`;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (value instanceof Map) return `{${[...value].map(([k, v]) => `${k}: ${shown(v)}`).join(", ")}}`;
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (typeof value === "object") return `{${Object.keys(value).map((k) => `${k}: ${shown(value[k])}`).join(", ")}}`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

// What cannot be cloned is named otherwise in each language.
const told = (error) => (error.name === "DataCloneError" ? error.name : `${error.name}: ${error.message}`);

export class Lines extends Array {
  async tries(label, call) {
    let result;
    try {
      result = shown(await call());
    } catch (error) {
      result = told(error);
    }
    this.push(`${label} -> ${result}`);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
