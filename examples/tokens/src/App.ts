/** The layers of the client, composed. The registry comes from outside. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type { ResourceCache } from "@patinox/cache"
import { Effect, Layer } from "effect"
import * as Tokens from "./Tokens.js"

/** An answer that is not a success is an error. */
const httpClient = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk)
).pipe(Layer.provide(FetchHttpClient.layer))

export const layer = (settings: ResourceCache.CacheSettings = {}) =>
  Layer.provideMerge(Tokens.layer(settings), httpClient)
