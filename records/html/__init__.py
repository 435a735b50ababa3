"""HTML building blocks of every page: images, charts and the shared style sheet."""
