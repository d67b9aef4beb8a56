"""The classes of the web platform that user code finds in `js`, on plain Python values.

headers, bodies, streams    header fields; bodies that are read once; streams as user code reads them (pipes: and writes them)
request, response           WHATWG fetch's Request and Response
blobs, forms, urls          Blob, File and FormData; multipart and urlencoded text; URL and URLSearchParams (search_params)
timing, globals, crypto     timers; Object, JSON, Array, Math (texts, dates, promises: the rest); random numbers and digests
"""
