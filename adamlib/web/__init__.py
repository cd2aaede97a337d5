"""In: a rule or a surface. Out: JavaScript for the page's playground."""
