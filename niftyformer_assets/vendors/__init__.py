"""Folders of daily candles in the formats of those who publish or sell them.

`folder.read_folder` decides on a format from all files of a folder, never from one cell, and refuses
what stays open. `headings` names columns, `files` opens files, `documents` finds the tables of JSON, `by_field` joins
files of one field each, `dates` and `numbers` decide what texts mean, `names` cleans and matches symbols,
`suspicions` says what looks wrong.
"""
