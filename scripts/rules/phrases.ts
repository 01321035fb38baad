/** The phrases that texts here leave out, and what to write instead: each makes a reader look for its subject. */
export interface Phrase {
  readonly name: string
  readonly pattern: RegExp
  readonly instead: string
}

const verbs = "asks|asked|comes|waits|wants|closes|uses|gives|returns|reads|builds|makes|needs|calls|is\\s+gone"

/** What `who` may follow: a noun or pronoun that it belongs to, or a verb that makes a question of it. */
const antecedents =
  "the|a|an|those|someone|somebody|everyone|anyone|each|and|or|says|see|know|user|caller|fiber|client|borrower"

export const phrases: ReadonlyArray<Phrase> = [
  {
    name: "who asks",
    pattern: new RegExp(`(?<!\\b(?:${antecedents})\\s+)\\bwho(?:ever)?\\s+(?:${verbs})\\b`, "gi"),
    instead: "name the caller, the borrower or the fiber"
  },
  {
    name: "let go of",
    pattern: /\blet(?:s|ting)?\s+(?:[\w`]+\s+){0,2}?go\b(?!\s+(?:on|first)\b)/gi,
    instead: "release, destroy, drop; abandon for what does not stop"
  },
  {
    name: "of ours",
    pattern: /\bof\s+(?:ours|theirs|one's\s+own)\b/gi,
    instead: "our, their, its own; or name the kind"
  },
  {
    name: "nobody ... any more",
    pattern: /\b(?:nobody|nothing|no\s+one|none)\b[^.;:|]{0,60}?\bany\s?more\b/gi,
    instead: "no longer, with who or what"
  },
  {
    name: "is told",
    pattern: /\b(?:is|are|was|were|be|been|being|gets?)\s+told\b/gi,
    instead: "report, log, fail with"
  },
  {
    name: "is to",
    pattern: /\b(?:is|are|was|were)\s+to\s+(?!date\b)(?=[a-z])/gi,
    instead: "must, will, should, or the plain verb"
  },
  {
    name: "one that",
    pattern: /(?<!\b(?:the|only|same|this|last|first|next|every)\s+)\bones?\s+that\b/gi,
    instead: "repeat the noun"
  },
  { name: "what there is", pattern: /\bwhat(?:ever)?\s+(?:there\s+is|is\s+there)\b/gi, instead: "name what it is" },
  { name: "what becomes of", pattern: /\b(?:what(?:ever)?|who)\s+bec(?:o|a)mes?\s+of\b/gi, instead: "the outcome of" },
  { name: "anew", pattern: /\banew\b/gi, instead: "again, or reload" },
  { name: "to be had", pattern: /\b(?:to|can|could|cannot)\s+be\s+had\b/gi, instead: "available" },
  { name: "told off", pattern: /\btold\s+off\b/gi, instead: "fail, with what" },
  { name: "by and by", pattern: /\bby\s+and\s+by\b/gi, instead: "in steps, gradually" },
  { name: "in the midst of", pattern: /\bin\s+the\s+midst\s+of\b/gi, instead: "during, while" }
]
