"""The ground floor: errors, limits, clock, durable writes, names, settings, logs.

Imports nothing of Syncline; every other package may import this one.
"""
