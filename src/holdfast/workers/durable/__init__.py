"""Durable Objects inside a script's process: ids and stubs, one instance an id, gates, hibernation, alarms, ownership."""
