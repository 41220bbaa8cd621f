"""What the hub keeps: metadata through SQLAlchemy Core, chunks in one pack store an owner.

The order of every commit is pack, then pack index, then statement and log leaf in one `Database.write`.
"""
