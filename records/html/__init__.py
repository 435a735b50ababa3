"""Building blocks of every page: templates, style sheet, charts and images."""
