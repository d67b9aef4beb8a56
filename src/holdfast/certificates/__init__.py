"""Certificates the edge serves: read and checked (`pair`), made for this machine (`local_ca`), watched (`watch`)."""
