"""One reader or writer per file format; they never import each other."""
