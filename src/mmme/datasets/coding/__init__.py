"""
Annotation tables of every data set -> rows in our words.

``spec`` says what the section ``[coding]`` of a layout may hold, ``reading`` reads a table by it, ``recognition`` tells
which data set a table is of, ``summary`` counts what it holds. The others read one form each: ``sheets`` and ``rows``
tables with a line per event, ``stamped`` the sheet of MMME, ``tiers`` ELAN, ``behaviors`` BORIS.
"""
