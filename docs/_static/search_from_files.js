// a page read from a file may not fetch others: results are then listed without their text
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
