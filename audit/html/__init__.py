"""The report as one page: no script, no request, printable, in any script of the world.

`markup` escapes, `style` is the stylesheet, `picture` draws the timeline, `sections` and `tables` are the
page's parts, `page` puts them together.
"""
