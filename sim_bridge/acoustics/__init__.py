"""From a source and a pose to what each ear hears."""
