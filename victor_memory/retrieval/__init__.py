"""Pure functions of search: words, scores, fusion and ranking. No store and no file is touched."""
