extension Duration {
    /// Rounded down, 0 for less than none. Division of durations is exact, and takes ten times as
    /// long.
    package var wholeMicroseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(clamping: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
