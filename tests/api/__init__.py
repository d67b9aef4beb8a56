"""The API as clients meet it: each route over SQLite and PostgreSQL, well asked, badly asked, and by strangers."""
