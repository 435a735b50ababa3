"""Forms of captioned photos, a module each."""
