"""Figures: drawing only, no numbers are made here.

Every function gives a matplotlib figure that pyplot has closed: a notebook shows it as the last line of a cell, and
`maps.save` writes it.
"""
