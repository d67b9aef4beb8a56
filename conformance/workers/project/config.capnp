# The reference: workerd with the JavaScript twin. Ids come of the unique key: the name of the Worker and of the class, as wrangler has it.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .twin),
    (name = "neighbour", worker = .neighbour),
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
    (name = "twin_failing.js", esModule = embed "twin_failing.js"),
    (name = "twin_pairs.js", esModule = embed "twin_pairs.js"),
    (name = "twin_services.js", esModule = embed "twin_services.js"),
    (name = "twin_words.js", esModule = embed "twin_words.js"),
    (name = "twin_worker.js", esModule = embed "twin_worker.js"),
  ],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [ (className = "Room", uniqueKey = "twin-Room", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "ROOM", durableObjectNamespace = "Room"),
    (name = "SHELF", durableObjectNamespace = (className = "Shelf", serviceName = "neighbour")),
    (name = "STORE", service = "neighbour"),
    (name = "ADMIN", service = (name = "neighbour", entrypoint = "Admin")),
  ],
);

const neighbour :Workerd.Worker = (
  modules = [ (name = "neighbour.js", esModule = embed "../neighbour/neighbour.js") ],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [ (className = "Shelf", uniqueKey = "neighbour-Shelf", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "SHELF", durableObjectNamespace = "Shelf"),
    (name = "ROOM", durableObjectNamespace = (className = "Room", serviceName = "main")),
  ],
);
