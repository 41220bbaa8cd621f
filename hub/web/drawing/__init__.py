"""Pictures drawn at the server as inline SVG: marks of states, lines, bars, the map.

Everything here returns `Markup` made of numbers and escaped texts. Colours and dashes are classes that
`static/style.css` gives a look, for light, dark and paper; shapes differ too, so that no colour need be seen.
"""
