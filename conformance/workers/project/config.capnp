# The reference: workerd with the JavaScript twin. Ids come of the unique key: the name of the Worker and of the class, as wrangler has it.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .twin),
    (name = "disk", disk = (writable = true)),
    # It is its own server when it is a client.
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ],
);

const twin :Workerd.Worker = (
  modules = [
    (name = "twin.js", esModule = embed "twin.js"),
    (name = "twin_calls.js", esModule = embed "twin_calls.js"),
    (name = "twin_pairs.js", esModule = embed "twin_pairs.js"),
    (name = "twin_words.js", esModule = embed "twin_words.js"),
  ],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [ (className = "Room", uniqueKey = "twin-Room", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "ROOM", durableObjectNamespace = "Room") ],
);
