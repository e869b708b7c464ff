"""What people see: pages and pictures of reports and previews, RViz, colours."""
