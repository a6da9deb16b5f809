use super::*;
use proptest::prelude::*;

/// Rows with these labels, separated by spaces.
fn table(labels: &str) -> DataTable {
    let row = |(n, label): (usize, &str)| DataRow {
        id: n.to_string(),
        text: String::new(),
        text_pair: None,
        label: label.to_owned(),
        location: None,
        slices: Box::default(),
    };
    let rows = labels.split(' ').enumerate().map(row).collect();
    DataTable { rows, label_column: "label".to_owned(), ..DataTable::default() }
}

fn nsmc(labels: &str) -> DataTable {
    let names = ["negative", "positive"];
    let labels: Vec<&str> =
        labels.split(' ').map(|label| names[usize::from(label == "1")]).collect();
    DataTable { declared_names: Some(split("negative positive")), ..table(&labels.join(" ")) }
}

fn split(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

/// The names found, separated by spaces, or the error.
fn found(train: &DataTable, evaluation: Option<&DataTable>, model_names: Option<&str>) -> String {
    let model_names = model_names.map(split);
    match Classes::find(train, evaluation, model_names.as_deref()) {
        Ok(classes) => classes.names().join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn integers_from_zero_are_indices_and_other_labels_are_sorted() {
    for (labels, names) in [
        ("1 0 2 1", "LABEL_0 LABEL_1 LABEL_2"),
        ("5 10 1", "1 5 10"),
        ("1 -1 0", "-1 0 1"),
        ("2 0", "0 2"),
        ("긍정 부정 긍정 중립", "긍정 부정 중립"),
        ("true false", "false true"),
        ("10 9 b", "10 9 b"),
    ] {
        assert_eq!(found(&table(labels), None, None), names);
    }
}

#[test]
fn an_integer_that_is_a_name_is_not_an_index() -> Result<(), DataError> {
    let stars = Classes::find(&table("1 2 3"), None, None)?;
    assert_eq!(["1", "3", "0"].map(|label| stars.index(label)), [Some(0), Some(2), None]);
    let indexed = Classes::find(&table("0 1"), None, None)?;
    let labels = ["0", "1", "01", "2", "LABEL_1", "-1"];
    let indices = [Some(0), Some(1), Some(1), None, Some(1), None];
    assert_eq!(labels.map(|label| indexed.index(label)), indices);
    Ok(())
}

#[test]
fn a_model_keeps_its_classes_if_they_fit() {
    let model = Some("부정 중립 긍정");
    assert_eq!(found(&table("긍정 부정"), None, model), "부정 중립 긍정");
    assert_eq!(found(&table("2 부정"), None, model), "부정 중립 긍정");
    assert_eq!(found(&table("1"), Some(&table("0")), model), "부정 중립 긍정");
    assert_eq!(found(&table("3 0"), None, model), "0 3");
    assert_eq!(found(&table("긍정 나쁨"), None, model), "긍정 나쁨");
    assert_eq!(found(&table("긍정 지루함"), None, model), "긍정 지루함");
    // NSMC's 1 is not the second of three classes.
    assert_eq!(found(&nsmc("1 0"), None, model), "negative positive");
    assert_eq!(found(&nsmc("1 0"), None, Some("부정 긍정")), "부정 긍정");
    assert_eq!(found(&table("True False"), None, Some("true false")), "true false");
}

#[test]
fn classes_that_replace_those_of_the_model_are_noted() -> Result<(), DataError> {
    let classes = Classes::find(&nsmc("1 0"), None, Some(&split("슬픔 기쁨")))?;
    assert_eq!(classes.names(), split("negative positive"));
    let expected = "the model's classes 슬픔, 기쁨 do not fit the labels";
    assert!(classes.notes()[0].starts_with(expected), "{:?}", classes.notes());
    Ok(())
}

/// Two tables that declare the same names in another order, as in `class-order`.
#[test]
fn names_decide_in_the_evaluation_rows_and_for_a_model_that_is_trained_further()
-> Result<(), DataError> {
    let named = |names, labels| DataTable { declared_names: Some(split(names)), ..table(labels) };
    let train = named("부정 중립 긍정", "부정 긍정 중립");
    let valid = named("긍정 중립 부정", "긍정 부정");
    let classes = Classes::find(&train, Some(&valid), None)?;
    assert_eq!(classes.names(), split("부정 중립 긍정"));
    let of_valid = classes.for_evaluation(&valid);
    assert_eq!(["긍정", "부정"].map(|label| of_valid.index(label)), [Some(2), Some(0)]);
    assert!(classes.notes().is_empty() && of_valid.notes().is_empty());
    // NSMC beside names in another order.
    let train = named("positive negative", "positive negative");
    let classes = Classes::find(&train, Some(&nsmc("1 0")), None)?;
    assert_eq!(classes.for_evaluation(&nsmc("1")).index("positive"), Some(0));
    // A model with names, trained on data with the same names in another order.
    let model = split("negative positive");
    let classes = Classes::find(&train, None, Some(&model))?;
    assert_eq!((classes.names(), classes.index("positive")), (&model[..], Some(1)));
    // Names that are integers are not indices.
    let stars = named("1 2 3", "1 2 3");
    let classes = Classes::find(&stars, Some(&named("3 2 1", "3 1")), None)?;
    assert_eq!(classes.for_evaluation(&named("3 2 1", "3")).index("3"), Some(2));
    // Numbers without names beside names.
    let classes = Classes::find(&train, Some(&table("0 1")), None)?;
    let of_numbers = classes.for_evaluation(&table("0 1"));
    assert_eq!(of_numbers.index("0"), Some(0));
    let note = &of_numbers.notes()[0];
    assert!(note.contains("evaluation rows are numbers without names"), "{note}");
    assert!(note.ends_with("0 is positive, 1 is negative"), "{note}");
    // Other names are an error, not a guess by index.
    let other = found(&train, Some(&named("a b", "a b")), None);
    assert!(
        other.contains("has the label \"a\", but the classes are positive, negative"),
        "{other}"
    );
    Ok(())
}

#[test]
fn names_are_matched_before_indices() -> Result<(), DataError> {
    let reversed = split("positive negative");
    let classes = Classes::find(&nsmc("1 0"), None, Some(&reversed))?;
    assert_eq!(classes.names(), reversed);
    let both = ["negative", "positive"];
    assert_eq!(both.map(|label| classes.index(label)), [Some(1), Some(0)]);
    assert!(classes.notes().is_empty());
    assert_eq!(Classes::of_model(&reversed, &nsmc("0")).index("negative"), Some(1));
    let numbers = Classes::of_model(&reversed, &table("0 1"));
    assert_eq!(numbers.index("0"), Some(0));
    assert!(numbers.notes()[0].contains("0 is positive, 1 is negative"));
    // Different names are matched by index, with a note.
    for (model, shown) in [("슬픔 기쁨", "슬픔, 기쁨"), ("LABEL_0 LABEL_1", "LABEL_0, LABEL_1")]
    {
        let classes = Classes::of_model(&split(model), &nsmc("0"));
        assert_eq!(both.map(|label| classes.index(label)), [Some(0), Some(1)]);
        assert!(classes.notes()[0].contains(shown), "{:?}", classes.notes());
        assert!(classes.notes()[0].contains("matched by index"), "{:?}", classes.notes());
    }
    // Unless their number differs, or some are the same.
    for model in ["하나 둘 셋", "positive neutral", "긍정 부정 중립"] {
        assert_eq!(Classes::of_model(&split(model), &nsmc("0")).index("negative"), None);
    }
    // Integer names are not indices.
    assert_eq!(Classes::of_model(&split("1 5 10"), &table("2 0")).index("2"), None);
    assert_eq!(Classes::of_model(&split("1.0 2.0"), &table("2 1")).index("1"), Some(0));
    Ok(())
}

#[test]
fn meaning_is_guessed_for_two_classes_that_are_a_known_pair_and_noted() {
    let korean = split("긍정 부정");
    let classes = Classes::of_model(&korean, &nsmc("0"));
    assert_eq!([classes.index("negative"), classes.index("positive")], [Some(1), Some(0)]);
    let note = &classes.notes()[0];
    assert!(
        note.contains("positive, negative of the data rows are taken as the classes 긍정, 부정 by"),
        "{note}"
    );
    // Not with a third class, with a label that is not of the pair, or with two pairs.
    for (model, labels) in [
        ("별로 보통 최고", "최고 보통 나쁨"),
        ("별로 보통 최고", "부정"),
        ("부정 긍정", "나쁨 좋음 보통"),
        ("부정 긍정", "나쁨 good"),
        ("부정 긍정", "부정 긍정 나쁨"),
        ("부정 좋음", "negative positive"),
    ] {
        let classes = Classes::of_model(&split(model), &table(labels));
        let labels: Vec<&str> = labels.split(' ').collect();
        let unknown = labels.iter().filter(|label| classes.index(label).is_none()).count();
        let known = labels.iter().filter(|label| model.split(' ').any(|name| name == **label));
        assert_eq!(unknown, labels.len() - known.count(), "{model}: {labels:?}");
        assert!(classes.notes().is_empty());
    }
    let error = found(&table("최고 보통 별로"), Some(&table("최고 나쁨")), None);
    assert!(error.contains("the label \"나쁨\", but the classes are 별로, 보통, 최고"), "{error}");
}

#[test]
fn names_of_integer_labels_are_those_that_files_declare() {
    assert_eq!(found(&nsmc("1 1"), None, None), "negative positive");
    assert_eq!(found(&table("0 1"), Some(&nsmc("1 1")), None), "negative positive");
    assert_eq!(found(&table("0 1 2"), Some(&nsmc("1 1")), None), "LABEL_0 LABEL_1 LABEL_2");
    let declared =
        |labels| DataTable { declared_names: Some(split("나쁨 좋음")), ..table(labels) };
    assert_eq!(found(&declared("1"), Some(&table("나쁨")), None), "나쁨 좋음");
    let unlabelled = found(&declared("0 1 -1"), None, None);
    assert!(unlabelled.contains("id 2 has the label \"-1\", but the classes are 나쁨, 좋음"));
}

#[test]
fn unsuitable_labels_are_errors() {
    let korean = table("긍정 부정");
    assert_eq!(found(&korean, Some(&nsmc("1 0")), None), "긍정 부정");
    let strange = found(&table("슬픔 기쁨"), Some(&nsmc("1 0")), None);
    assert!(strange.contains("row with id 0 has the label \"positive\""), "{strange}");
    assert!(strange.contains("the classes are 기쁨, 슬픔. "), "{strange}");
    let one = found(&table("x\u{1b} x\u{1b}"), Some(&korean), None);
    assert!(one.contains("every training row has the label \"x�\""), "{one}");
    let many: Vec<String> = (0..=MAX_CLASSES).map(|n| n.to_string()).collect();
    let many = found(&table(&many.join(" ")), None, None);
    assert!(many.contains("the column label contains 1001 different labels"), "{many}");
}

proptest! {
    #[test]
    fn every_training_label_gets_an_index(
        labels in proptest::collection::vec("[0-3]|-1|a|b|01", 1..20),
    ) {
        match Classes::find(&table(&labels.join(" ")), None, None) {
            Ok(classes) => {
                let count = classes.names().len() as u32;
                for label in &labels {
                    prop_assert!(classes.index(label).is_some_and(|index| index < count));
                }
            }
            Err(error) => {
                let is_one_class = matches!(error, DataError::OneClass { .. });
                prop_assert!(is_one_class && labels.iter().all(|label| *label == labels[0]));
            }
        }
    }
}
