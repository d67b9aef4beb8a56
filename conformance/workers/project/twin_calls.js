// Probes of calls between a Worker and its objects, and of more values: CALL_PROBES and MORE_VALUES of twin_calls.py.
import { shown } from "twin_words.js";

export const CALL_PROBES = {
  async fetches(env, name, lines) {
    const stub = env.ROOM.getByName(name);
    const url = (what) => `http://object.example/http/${name}/${what}`;
    const seen = async (answer) => [answer.status, await answer.text(), answer.headers.get("X-Answer")];
    await lines.tries("get", async () => await seen(await stub.fetch(url("got"))));
    await lines.tries("post", async () => await seen(await stub.fetch(url("posted"), { method: "POST", body: "body", headers: { "X-Word": "word" } })));
    await lines.tries("throws", async () => await seen(await stub.fetch(url("throw"))));
    await lines.tries("text", async () => await seen(await stub.fetch(url("text"))));
    await lines.tries("not a URL", async () => await seen(await stub.fetch("/path")));
    await lines.tries("an upgrade", async () => {
      const answer = await stub.fetch(`http://object.example/hibernatable/${name}/one`, { headers: { Upgrade: "websocket" } });
      const socket = answer.webSocket;
      socket.accept();
      const heard = new Promise((resolve) => socket.addEventListener("message", (event) => resolve(event.data)));
      socket.send("through");
      const said = await heard;
      socket.close(1000, "done");
      return [answer.status, said];
    });
    await lines.tries("no upgrade's socket", async () => (await stub.fetch(url("got"))).webSocket);
  },
  async "more calls"(env, name, lines) {
    const stub = env.ROOM.getByName(name);
    await lines.tries("nothing", () => stub.giveNothing());
    await lines.tries("later", () => stub.later());
    await lines.tries("a function given", async () => await (await stub.giveFunction())(41));
    await lines.tries("a mark of an error", async () => {
      try {
        await stub.failOwn();
      } catch (error) {
        return [error.message, error.custom ?? null];
      }
    });
    await lines.tries("too few arguments", async () => typeof (await stub.give()));
    await lines.tries("a set", async () => [...(await stub.give(new Set([1])))]);
    await lines.tries("a big number", () => stub.give(2 ** 53 - 1));
    await lines.tries("constructor", () => stub.constructor());
    await lines.tries("fetch is no method", async () => await (await stub.fetch("http://object.example/probe/x/instance")).json());
    await lines.tries("id of the object", async () => (await (await stub.fetch(`http://object.example/probe/${name}/blocking`)).json())[1]);
  },
};

export const MORE_VALUES = {
  async "more values"(room, lines) {
    const storage = room.ctx.storage;
    const kept = async (value) => {
      await storage.put("k", value);
      return await storage.get("k");
    };
    await lines.tries("a date", () => kept(new Date(1500)));
    await lines.tries("a set", async () => [...(await kept(new Set([1, "a"])))]);
    await lines.tries("an error", async () => {
      const error = await kept(new TypeError("kept"));
      return `${error.name}: ${error.message}`;
    });
    await lines.tries("a cycle", async () => {
      const list = [1];
      list.push(list);
      const back = await kept(list);
      return back[1] === back;
    });
    await lines.tries("one object twice", async () => {
      const one = { a: 1 };
      const back = await kept([one, one]);
      return back[0] === back[1];
    });
    await lines.tries("is a copy", async () => {
      const value = { a: 1 };
      await storage.put("k", value);
      value.a = 2;
      return await storage.get("k");
    });
    await lines.tries("a megabyte", async () => (await kept("x".repeat(1 << 20))).length);
  },
  async belonging(room, lines) {
    const storage = room.ctx.storage;
    await lines.tries("null byte in a key", async () => {
      await storage.put("a\0b", 1);
      return await storage.get("a\0b");
    });
    await lines.tries("put without await", async () => {
      storage.put("n", 1);
      storage.put("n", 2);
      return await storage.get("n");
    });
    await lines.tries("list limit 1", () => storage.list({ limit: 1, prefix: "n" }));
    await lines.tries("kv start and end", () => [...storage.kv.list({ start: "n", end: "z" })]);
    await lines.tries("kv reverse", () => [...storage.kv.list({ reverse: true, limit: 1 })].length);
    await lines.tries("alarm goes with deleteAll", async () => {
      await storage.setAlarm(4102444800000);
      await storage.deleteAll();
      return await storage.getAlarm();
    });
    await lines.tries("transaction sees its own", () =>
      storage.transaction(async (txn) => {
        await txn.put("t", 1);
        return [await txn.get("t"), await storage.get("t"), shown(await txn.list())];
      }),
    );
    await lines.tries("transaction deletes", () => storage.transaction(async (txn) => await txn.delete("t")));
    await lines.tries("sql and kv", () => {
      room.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS both (a)");
      return storage.transactionSync(() => {
        storage.kv.put("b", 1);
        return room.ctx.storage.sql.exec("INSERT INTO both VALUES (1) RETURNING a").one();
      });
    });
    await lines.tries("tables", () => room.ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '_cf_%' ORDER BY name").toArray());
    await lines.tries("size grows", () => room.ctx.storage.sql.databaseSize > 0);
  },
};
