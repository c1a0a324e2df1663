//! Does one stage of a request so many times, for a tool that counts instructions: `instructions STAGE TIMES`. Without arguments it lists the stages.
#![allow(clippy::unwrap_used)] // a benchmark may stop at the first surprise

#[path = "../stages/work.rs"]
#[allow(dead_code)] // the stage with a disk is for the clock
mod work;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        work::stages().iter().for_each(|stage| println!("{}", stage.name));
        return;
    };
    let times: u32 = arguments.next().unwrap().parse().unwrap();
    let mut stage = work::stages().into_iter().find(|stage| stage.name == name).unwrap();
    (0..times).for_each(|_| (stage.work)());
}
