/** Fibers are known by numbers. */
export type FiberId = number

export const none = 0
