"""
Scores, as plain functions on arrays and intervals: count first, score last.

`recognition` (confusion counts, UF1, UAR), `spotting` (one-to-one matching of intervals), `agreement` (between coders),
`uncertainty` (bootstrap over subjects, permutation level, paired comparison). Nothing here knows the rest of mmme, so
that anyone can check a score by hand. Wrong arguments raise `ValueError`.
"""
