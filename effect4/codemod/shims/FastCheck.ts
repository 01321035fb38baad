/** Was part of Effect 3. */
export * from "fast-check"
