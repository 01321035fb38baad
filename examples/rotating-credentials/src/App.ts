/** The layers of the client, composed. The registry comes from outside. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect, Layer } from "effect"
import * as AccessToken from "./AccessToken.js"
import * as Orders from "./Orders.js"

/** Of one server; an answer that is not a success is an error. */
const httpClient = (url: string) =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (client) =>
      client.pipe(HttpClient.mapRequest(HttpClientRequest.prependUrl(url)), HttpClient.filterStatusOk))
  ).pipe(Layer.provide(FetchHttpClient.layer))

export const layer = (url: string, pace: AccessToken.Pace) =>
  Orders.layer.pipe(
    Layer.provideMerge(AccessToken.layer(pace)),
    Layer.provide(httpClient(url))
  )
