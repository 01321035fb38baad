export interface Package {
  readonly directory: string
  readonly folder: string
  readonly name: string
}

export interface PackedPackage extends Package {
  readonly tarball: string
  readonly files: ReadonlyArray<string>
}

export declare const root: string
export declare const packages: ReadonlyArray<Package>
export declare const pack: (destination: string) => ReadonlyArray<PackedPackage>
