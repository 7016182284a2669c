"""The loop, told in ports: key -> resource -> query -> snapshot -> desired -> plan -> outcome -> status and Events."""
