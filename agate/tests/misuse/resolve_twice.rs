//! An answer is given once.

fn main() {
    let (resolver, _answer) = agate::completion();
    resolver.resolve(1);
    resolver.resolve(2);
}
