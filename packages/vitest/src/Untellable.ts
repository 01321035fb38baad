/**
 * Errors, keys and values that throw wherever somebody looks at them: at their text, their properties, their hash or
 * their prototype. A user's own class does the same by a mistake in a getter, and a closed driver's proxy on purpose.
 * Code that handles them must not need to look; `Fault.untellable` puts them into a release.
 */
import { Equal, Hash } from "effect"

/** What a look throws by default. */
export class LookedAt extends Error {
  override readonly name = "LookedAt"
  constructor(readonly property: PropertyKey) {
    super(`An untellable value was looked at: ${String(property)}`)
  }
}

/** How a look at an untellable value fails. */
export interface UntellableOptions {
  /**
   * Called at each look with the property or the trap's name. Returns what the look throws, possibly an untellable
   * value too. Default: a `LookedAt`.
   */
  readonly thrown?: (property: PropertyKey) => unknown
}

/** The properties whose look throws, of `error` and `value`. */
export const properties: ReadonlyArray<PropertyKey> = [
  "_tag",
  "cause",
  "code",
  "constructor",
  "errors",
  "message",
  "name",
  "stack",
  "toJSON",
  "toLocaleString",
  "toString",
  "valueOf",
  Symbol.iterator,
  Symbol.toPrimitive,
  Symbol.toStringTag,
  Symbol.for("nodejs.util.inspect.custom"),
  Hash.symbol,
  Equal.symbol
]

const known = new WeakSet<object>()

/** Whether one of this module's functions made it; a question that never looks. A symbol or a bigint is not known. */
export const isUntellable = (u: unknown): boolean =>
  ((typeof u === "object" && u !== null) || typeof u === "function") && known.has(u)

const remember = <A extends object>(made: A): A => {
  known.add(made)
  return made
}

const lookAt = (options: UntellableOptions | undefined, property: PropertyKey): never => {
  throw options?.thrown === undefined ? new LookedAt(property) : options.thrown(property)
}

const darken = <A extends object>(
  target: A,
  options: UntellableOptions | undefined,
  hidden: ReadonlyArray<PropertyKey> = properties
): A => {
  for (const property of hidden) {
    Object.defineProperty(target, property, { configurable: true, get: () => lookAt(options, property) })
  }
  return remember(target)
}

/**
 * An `Error` of which every property that text is made from throws.
 *
 * ```ts
 * import { Untellable } from "@patinox/vitest"
 *
 * const error = Untellable.error()
 * console.log(error instanceof Error) // => true
 * try {
 *   String(error)
 * } catch (thrown) {
 *   console.log((thrown as Error).message) // => An untellable value was looked at: Symbol(Symbol.toPrimitive)
 * }
 * ```
 */
export const error = (options?: UntellableOptions): Error => {
  const made = new Error("never seen")
  // Made at the first look, from the name and the message, which must be there for it.
  void made.stack
  return darken(made, options)
}

/** An object of which every property that text, JSON, a hash or an equality is made from throws. */
export const value = (options?: UntellableOptions): object => darken({}, options)

/** The options of a key. */
export interface UntellableKeyOptions extends UntellableOptions {
  /** Given, hashing the key works and gives this; comparing it still throws. Default: hashing throws too. */
  readonly hash?: number
}

/**
 * A key that cannot be compared or told. With a `hash`, two of them come into one bucket of a hash map, where the look at
 * their equality throws.
 */
export const key = (options?: UntellableKeyOptions): object => {
  const hash = options?.hash
  if (hash === undefined) return value(options)
  const made = darken(
    {},
    options,
    properties.filter((property) => property !== Hash.symbol && property !== Equal.symbol)
  )
  Object.defineProperty(made, Hash.symbol, { value: () => hash })
  // A method, as those who compare ask first whether there is one.
  Object.defineProperty(made, Equal.symbol, { value: () => lookAt(options, Equal.symbol) })
  return made
}

const traps: ReadonlyArray<keyof ProxyHandler<object>> = [
  "apply",
  "construct",
  "defineProperty",
  "deleteProperty",
  "get",
  "getOwnPropertyDescriptor",
  "getPrototypeOf",
  "has",
  "isExtensible",
  "ownKeys",
  "preventExtensions",
  "set",
  "setPrototypeOf"
]

/**
 * A proxy of which every trap throws: `instanceof`, `in`, `await` and any property included. Only `typeof` and identity
 * work. The target is what it pretends to be; a function's is a function.
 */
export const proxy = <A extends object = object>(target: A = {} as A, options?: UntellableOptions): A =>
  remember(
    new Proxy(
      target,
      Object.fromEntries(traps.map((trap) => [
        trap,
        (_: object, property?: unknown) =>
          lookAt(options, typeof property === "string" || typeof property === "symbol" ? property : trap)
      ]))
    )
  )

/** A proxy that was revoked, which the engine itself throws at. */
export const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable<object>({}, {})
  known.add(proxy)
  revoke()
  return proxy
}

const circular = () => {
  const made = new Error("circular")
  Object.assign(made, { cause: made, self: made, toJSON: () => made })
  return made
}

const wrongTypes = () =>
  Object.assign(new Error(), { message: Symbol("message"), name: {}, stack: 42, toString: () => ({}) })

const makers = {
  error,
  value,
  key: () => key({ hash: 1 }),
  proxy: () => proxy(),
  errorProxy: () => proxy(new Error("never seen")),
  functionProxy: () => proxy(() => {}),
  revoked,
  /** The value that an access throws cannot be shown either. */
  doubly: () => error({ thrown: () => error() }),
  /** Has no `toString`: to make it a string throws. */
  nullPrototype: () => remember(Object.create(null) as object),
  /** An error whose message is a symbol, whose name an object, whose stack a number. */
  wrongTypes: () => remember(wrongTypes()),
  /** An error that is its own cause and its own JSON. */
  circular: () => remember(circular()),
  /** A symbol in a template throws. */
  symbol: () => Symbol("untellable"),
  /** A bigint in JSON throws. */
  bigint: () => 1n
}

/** The kinds of value that cannot be shown: data, so that a form can be generated and named. */
export type Form = keyof typeof makers

/** Every form, for tests of everything: `it.effect.each(Untellable.forms)("…", (form) => …)`. */
export const forms: ReadonlyArray<Form> = Object.keys(makers) as ReadonlyArray<Form>

/** A new value of that form. */
export const make = (form: Form): unknown => makers[form]()
