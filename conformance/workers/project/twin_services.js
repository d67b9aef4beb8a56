// Probes of bindings of another script: SERVICE_PROBES of twin_services.py.
import { shown, sleep } from "twin_words.js";

const KINDS = ["Error", "TypeError", "RangeError", "SyntaxError", "Mine"];

const seen = async (answer) => [answer.status, await answer.text(), answer.headers.get("X-Answer")];

async function caught(call) {
  try {
    await call();
  } catch (error) {
    return [error.name, error.message, error.remote ?? false, error.custom ?? null, error instanceof TypeError, error instanceof RangeError];
  }
}

export const SERVICE_PROBES = {
  async services(env, name, lines) {
    const store = env.STORE;
    const url = (what) => `http://store.example/by/${what}`;
    await lines.tries("get", async () => await seen(await store.fetch(url("got?x=1"))));
    await lines.tries("post", async () => await seen(await store.fetch(url("posted"), { method: "POST", body: "größer", headers: { "X-Word": "word" } })));
    await lines.tries("a Request", async () => await seen(await store.fetch(new Request(url("made"), { method: "PUT", body: "b" }))));
    await lines.tries("throws", async () => await seen(await store.fetch(url("throws"))));
    await lines.tries("refused", async () => await seen(await store.fetch(url("refused"))));
    await lines.tries("moved", async () => (await store.fetch(url("moved"), { redirect: "manual" })).headers.get("Location"));
    await lines.tries("add", () => store.add(1, 2));
    await lines.tries("a getter", () => store.limit);
    await lines.tries("unknown method", () => store.nope());
    await lines.tries("nothing", () => store.giveNothing());
    for (const value of [null, true, 1.5, "größer", [1, [2]], { a: { b: null } }, new Uint8Array([1, 2]), new Date(1000)]) {
      await lines.tries(`give ${shown(value)}`, () => store.give(value));
    }
    await lines.tries("a set", async () => [...(await store.give(new Set([1])))]);
    await lines.tries("Admin", () => env.ADMIN.who());
    await lines.tries("fetch of Admin", async () => await (await env.ADMIN.fetch(url("x"))).text());
    await lines.tries("what Admin has not", () => env.ADMIN.add(1, 2));
  },
  async functions(env, name, lines) {
    const store = env.STORE;
    const told = [];
    await lines.tries("called back", () =>
      store.each(3, {
        to: [
          (n) => {
            told.push(n);
            return n * 10;
          },
        ],
      }),
    );
    await lines.tries("what it was told", () => told);
    await lines.tries("a function given", async () => await (await store.adder(5))(2));
    await lines.tries("one that throws", () =>
      store.failing(() => {
        throw new TypeError("of a callback");
      }),
    );
    await lines.tries("one that waits", () =>
      store.each(2, {
        to: [
          async (n) => {
            await sleep(2);
            return n + 1;
          },
        ],
      }),
    );
  },
  async errors(env, name, lines) {
    const shelf = env.SHELF.getByName(name);
    for (const kind of KINDS) {
      await lines.tries(`service ${kind}`, () => caught(() => env.STORE.fail(kind)));
      await lines.tries(`object ${kind}`, () => caught(() => shelf.fail(kind)));
    }
  },
  async shelves(env, name, lines) {
    const shelf = env.SHELF.getByName(name);
    await lines.tries("increment", () => shelf.increment());
    await lines.tries("again", () => env.SHELF.getByName(name).increment());
    await lines.tries("identity", async () => {
      const [id, called] = await shelf.identity();
      return [id === env.SHELF.idFromName(name).toString(), called === name];
    });
    await lines.tries("id of a", () => env.SHELF.idFromName("a").toString());
    await lines.tries("its id for another class", () => env.ROOM.idFromString(env.SHELF.idFromName("a").toString()));
    await lines.tries("a unique id", async () => {
      const id = env.SHELF.newUniqueId();
      return [(await env.SHELF.get(id).identity())[0] === id.toString(), await env.SHELF.get(id).increment()];
    });
    await lines.tries("unknown method", () => shelf.nope());
    await lines.tries("webSocketMessage", () => shelf.webSocketMessage());
    await lines.tries("get", async () => await seen(await shelf.fetch(`http://shelf.example/shelf/${name}/got`)));
    await lines.tries("post", async () => await seen(await shelf.fetch(`http://shelf.example/shelf/${name}/got`, { method: "POST", body: "body" })));
    await lines.tries("throws", async () => await seen(await shelf.fetch(`http://shelf.example/shelf/${name}/throws`)));
    await lines.tries("abort", () => shelf.abandon());
    await lines.tries("a new stub", () => env.SHELF.getByName(name).increment());
  },
  async circles(env, name, lines) {
    await lines.tries("of one script", () => env.ROOM.getByName(`${name} 1`).ring(`${name} 2`, 8));
    await lines.tries("of itself", () => env.ROOM.getByName(name).ring(name, 4));
    await lines.tries("of two scripts", () => env.ROOM.getByName("circle").circle(8));
    await lines.tries("four at once", () => Promise.all([1, 2, 3, 4].map((n) => env.ROOM.getByName("circle").circle(n))));
    await lines.tries("while it blocks", () => env.ROOM.getByName(name).ringBlocked(`${name} 2`));
  },
  async "a socket of a neighbour"(env, name, lines) {
    for (const [label, fetcher] of [["service", env.STORE], ["object", env.SHELF.getByName(name)]]) {
      const answer = await fetcher.fetch(`http://inside.example/shelf/${name}/inside`, { headers: { Upgrade: "websocket" } });
      const socket = answer.webSocket;
      socket.accept();
      socket.binaryType = "arraybuffer";
      socket.addEventListener("message", (event) => lines.push(`${label}: message ${shown(event.data)}`));
      const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
      socket.send("through");
      socket.send(new Uint8Array([1, 2]));
      await sleep(100);
      socket.send("!close");
      const event = await closed;
      lines.push(`${label}: close ${event.code} ${event.reason} ${event.wasClean} state ${socket.readyState}`);
      const refused = await fetcher.fetch(`http://inside.example/shelf/${name}/refused`, { headers: { Upgrade: "websocket" } });
      lines.push(`${label}: ${refused.status} ${refused.webSocket === null} ${await refused.text()}`);
    }
  },
};
