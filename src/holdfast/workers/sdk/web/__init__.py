"""The classes of the web platform that user code finds in `js`, on plain Python values.

headers, bodies, streams    header fields; bodies that are read once; streams as user code reads and makes them
request, response           WHATWG fetch's Request and Response
blobs, forms, urls          Blob, File and FormData; multipart and urlencoded text; URL and URLSearchParams
timing, globals, crypto     timers; Object, JSON, Array, Math, Date; random numbers and digests
"""
