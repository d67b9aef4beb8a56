"""The SDK as user code imports it: thin names on `path/`, the implementation here.

errors, buffers, values     exceptions, byte buffers and plain values, as JavaScript's would look from Python
array_methods, proxied      what arrays and the classes of `web/` have as proxies of JavaScript's
web/                        the classes of the web platform: Headers, Request, Response, streams, URLs, blobs, forms
request, response           `workers.Request` and `workers.Response` over them
entrypoints, context        the base classes of user code, and what the code that runs now belongs to
fetching                    `fetch()`: redirects, decoding, upgrades, over the edge's way out
threads, in_place, stacks   calls from threads, and handlers that wait without `await`
plain_functions             those of ASGI applications in objects
bridge                      what the script's process makes requests of, and reads responses with
importing                   puts `path/` before everything else that can be imported
"""
