// Probes of the Worker itself: WORKER_PROBES of twin_worker.py.
import { shown } from "twin_words.js";

export const WORKER_PROBES = {
  async ids(env, name, lines) {
    const rooms = env.ROOM;
    const unique = rooms.newUniqueId();
    await lines.tries("id of a", () => rooms.idFromName("a").toString());
    await lines.tries("id of größer", () => rooms.idFromName("größer").toString());
    await lines.tries("id of an empty name", () => rooms.idFromName("").toString());
    await lines.tries("name", () => rooms.idFromName("a").name);
    await lines.tries("name of a unique id", () => unique.name);
    await lines.tries("from its text", () => rooms.idFromString(rooms.idFromName("a").toString()).equals(rooms.idFromName("a")));
    await lines.tries("name from its text", () => rooms.idFromString(rooms.idFromName("a").toString()).name);
    await lines.tries("equals another", () => rooms.idFromName("a").equals(unique));
    await lines.tries("too short", () => rooms.idFromString("ab"));
    await lines.tries("not hex", () => rooms.idFromString("x".repeat(64)));
    await lines.tries("of another class", () => rooms.idFromString("0".repeat(64)));
    await lines.tries("get of text", () => rooms.get("a"));
    await lines.tries("stub's name", () => rooms.getByName("a").name);
    await lines.tries("stub's id", () => rooms.getByName("a").id.equals(rooms.idFromName("a")));
  },
  async calls(env, name, lines) {
    const stub = env.ROOM.getByName(name);
    await lines.tries("add", () => stub.add(1, 2));
    await lines.tries("a field", () => stub.value);
    await lines.tries("unknown method", () => stub.nope());
    await lines.tries("alarm", () => stub.alarm());
    await lines.tries("webSocketMessage", () => stub.webSocketMessage());
    for (const value of [null, true, 1.5, "größer", [1, [2]], { a: { b: null } }, new Uint8Array([1, 2]), new Date(1000)]) {
      await lines.tries(`give ${shown(value)}`, () => stub.give(value));
    }
    await lines.tries("a function", () => stub.call((n) => n * 21));
    await lines.tries("an error of its own", () => stub.fail());
    await lines.tries("its marks", async () => {
      try {
        await stub.fail();
      } catch (error) {
        return [error.remote ?? false, error.retryable ?? false, error.overloaded ?? false];
      }
    });
    await lines.tries("after it", () => stub.add(1, 1));
  },
  async gates(env, name, lines) {
    const stub = env.ROOM.getByName(name);
    const ten = (pause) => Promise.all(Array.from({ length: 10 }, () => stub.increment(pause)));
    await lines.tries("ten at once", () => ten(false));
    await lines.tries("ten with a pause", () => ten(true));
  },
  async resets(env, name, lines) {
    const stub = env.ROOM.getByName(name);
    await lines.tries("instance", () => stub.number());
    await lines.tries("abort", () => stub.abandon());
    await lines.tries("same stub", () => stub.number());
    await lines.tries("new stub", () => env.ROOM.getByName(name).number());
    const other = env.ROOM.getByName(name);
    await lines.tries("blocking that throws", () => other.breakIt());
    await lines.tries("same stub", () => other.number());
    await lines.tries("new stub", () => env.ROOM.getByName(name).number());
    await lines.tries("constructor", () => env.ROOM.getByName("broken").number());
  },
  async responses(env, name, lines) {
    const of = (status, body = null) => new Response(body, { status }).status;
    for (const status of [100, 101, 199, 200, 204, 304, 599, 600]) await lines.tries(`status ${status}`, () => of(status));
    await lines.tries("204 with a body", () => of(204, "body"));
    await lines.tries("redirect", () => Response.redirect("http://a.example/", 301).status);
    await lines.tries("redirect by 200", () => Response.redirect("http://a.example/", 200).status);
    await lines.tries("webSocket with 200", () => new Response(null, { status: 200, webSocket: new WebSocketPair()[0] }).status);
    await lines.tries("pair's length", () => Object.values(new WebSocketPair()).length);
  },
};
