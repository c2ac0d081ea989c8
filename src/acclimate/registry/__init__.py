"""What has been made and released: names, versions, who stands in front, and who decided so."""
