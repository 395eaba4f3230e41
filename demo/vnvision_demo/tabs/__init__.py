"""One module a tab: each lays out its part of the page and answers its questions."""
