"""Cases in and out: files of ours, pasted lists, FHIR bundles. What cannot be read is listed, never dropped."""
